// Judge what this project makes with github.com/emmansun/gmsm, and make what this project must judge.
//
// Usage: harness COMMAND FILE…; keys are PKCS#8, everything else is DER. A command prints "ok" and one
// fact per line, or ends with a message and status 1.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"os"
	"time"

	"github.com/emmansun/gmsm/pkcs7"
	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

var commands = map[string]func(arguments []string) error{
	"chain":    chain,
	"crl":      crl,
	"csr":      csr,
	"make-csr": makeCSR,
	"make-ca":  makeCA,
	"p7":       verifyP7,
	"make-p7":  makeP7,
	"verify":   verify,
	"sign":     sign,
	"encrypt":  encrypt,
	"decrypt":  decrypt,
	"key":      readKey,
}

func main() {
	run, known := commands[os.Args[1]]
	err := errors.New("unknown command " + os.Args[1])
	if known {
		err = run(os.Args[2:])
	}
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func read(name string) []byte {
	data, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return data
}

func write(name string, data []byte, err error) error {
	if err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o600)
}

func certificate(name string) *smx509.Certificate {
	parsed, err := smx509.ParseCertificate(read(name))
	if err != nil {
		panic(err)
	}
	return parsed
}

func privateKey(name string) *sm2.PrivateKey {
	parsed, err := smx509.ParsePKCS8PrivateKey(read(name))
	if err != nil {
		panic(err)
	}
	return parsed.(*sm2.PrivateKey)
}

// chain ROOT ISSUING LEAF TIME: build and verify a path at an RFC 3339 time.
func chain(arguments []string) error {
	at, err := time.Parse(time.RFC3339, arguments[3])
	if err != nil {
		return err
	}
	roots, issuers := smx509.NewCertPool(), smx509.NewCertPool()
	roots.AddCert(certificate(arguments[0]))
	issuers.AddCert(certificate(arguments[1]))
	leaf := certificate(arguments[2])
	paths, err := leaf.Verify(smx509.VerifyOptions{
		Roots: roots, Intermediates: issuers, CurrentTime: at,
		KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageAny},
	})
	if err != nil {
		return err
	}
	fmt.Println("length", len(paths[0]))
	fmt.Println("subject", leaf.Subject.CommonName)
	fmt.Println("serial", leaf.SerialNumber.Text(16))
	fmt.Println("crl", leaf.CRLDistributionPoints)
	fmt.Println("ocsp", leaf.OCSPServer)
	return nil
}

// crl LIST ISSUER: verify a revocation list.
func crl(arguments []string) error {
	list, err := smx509.ParseRevocationList(read(arguments[0]))
	if err != nil {
		return err
	}
	if err := list.CheckSignatureFrom(certificate(arguments[1])); err != nil {
		return err
	}
	fmt.Println("number", list.Number)
	for _, entry := range list.RevokedCertificateEntries {
		fmt.Println("revoked", entry.SerialNumber.Text(16), entry.ReasonCode)
	}
	return nil
}

// csr REQUEST: verify a certificate request.
func csr(arguments []string) error {
	request, err := smx509.ParseCertificateRequest(read(arguments[0]))
	if err != nil {
		return err
	}
	fmt.Println("subject", request.Subject.CommonName)
	return request.CheckSignature()
}

// make-csr KEY OUT: make a certificate request.
func makeCSR(arguments []string) error {
	template := x509.CertificateRequest{Subject: pkix.Name{Country: []string{"CN"}, CommonName: "外部申请者"}}
	made, err := smx509.CreateCertificateRequest(rand.Reader, &template, privateKey(arguments[0]))
	return write(arguments[1], made, err)
}

// make-ca KEY OUT: make a self-signed certificate of an authority.
func makeCA(arguments []string) error {
	key := privateKey(arguments[0])
	template := x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{Country: []string{"CN"}, CommonName: "外部根"},
		NotBefore:             time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2056, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true,
	}
	made, err := smx509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	return write(arguments[1], made, err)
}

// p7 MESSAGE CONTENT: verify signed data; "-" where the message holds its content.
func verifyP7(arguments []string) error {
	message, err := pkcs7.Parse(read(arguments[0]))
	if err != nil {
		return err
	}
	if arguments[1] != "-" {
		message.Content = read(arguments[1])
	}
	fmt.Println("signers", len(message.Signers))
	fmt.Println("octets", len(message.Content))
	return message.Verify()
}

// make-p7 CERTIFICATE KEY CONTENT MODE OUT: sign after GB/T 35275; MODE is attributes, bare or detached.
func makeP7(arguments []string) error {
	signed, err := pkcs7.NewSMSignedData(read(arguments[2]))
	if err != nil {
		return err
	}
	signer, key := certificate(arguments[0]), privateKey(arguments[1])
	if arguments[3] == "bare" {
		err = signed.SignWithoutAttr(signer, key, pkcs7.SignerInfoConfig{})
	} else {
		err = signed.AddSigner(signer, key, pkcs7.SignerInfoConfig{})
	}
	if err != nil {
		return err
	}
	if arguments[3] == "detached" {
		signed.Detach()
	}
	made, err := signed.Finish()
	return write(arguments[4], made, err)
}

// verify CERTIFICATE MESSAGE SIGNATURE: verify SM2 with SM3 under the default identifier.
func verify(arguments []string) error {
	signer := certificate(arguments[0])
	return signer.CheckSignature(smx509.SM2WithSM3, read(arguments[1]), read(arguments[2]))
}

// sign KEY MESSAGE OUT: sign with SM2 and SM3 under the default identifier.
func sign(arguments []string) error {
	made, err := privateKey(arguments[0]).Sign(rand.Reader, read(arguments[1]), sm2.DefaultSM2SignerOpts)
	return write(arguments[2], made, err)
}

// encrypt CERTIFICATE MESSAGE OUT: encrypt to a certificate's key.
func encrypt(arguments []string) error {
	key, good := smx509PublicKey(certificate(arguments[0]))
	if !good {
		return errors.New("not an SM2 key")
	}
	made, err := sm2.EncryptASN1(rand.Reader, key, read(arguments[1]))
	return write(arguments[2], made, err)
}

// decrypt KEY CIPHERTEXT MESSAGE: decrypt and compare.
func decrypt(arguments []string) error {
	opened, err := sm2.Decrypt(privateKey(arguments[0]), read(arguments[1]))
	if err == nil && !bytes.Equal(opened, read(arguments[2])) {
		return errors.New("another plaintext")
	}
	return err
}

// key PKCS8 PASSWORD CERTIFICATE: open an encrypted key and compare its public half.
func readKey(arguments []string) error {
	parsed, err := pkcs8.ParsePKCS8PrivateKey(read(arguments[0]), []byte(arguments[1]))
	if err != nil {
		return err
	}
	wanted, _ := smx509PublicKey(certificate(arguments[2]))
	if !parsed.(*sm2.PrivateKey).PublicKey.Equal(wanted) {
		return errors.New("another key")
	}
	return nil
}
