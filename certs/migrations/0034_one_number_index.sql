-- Number and type were indexed twice: certificate_printed_number_idx (0021) serves every look-up by number.
DROP INDEX certs.certificate_plain_number_idx;
