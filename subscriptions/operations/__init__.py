"""Operations: how every consumer, target and lead fares, and what somebody should see to."""
