package main

import (
	"crypto/ecdsa"

	"github.com/emmansun/gmsm/smx509"
)

func smx509PublicKey(certificate *smx509.Certificate) (*ecdsa.PublicKey, bool) {
	key, good := certificate.PublicKey.(*ecdsa.PublicKey)
	return key, good
}
