"""The QR code on a certificate's face: an address for anybody's telephone, and a proof that needs no hub."""
