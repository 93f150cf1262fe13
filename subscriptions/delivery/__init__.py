"""Proof of delivery: what was handed over, signed by the hub; that it arrived, said by the subscriber."""
