"""Word vectors of attribute names: the queries of AttentionNet."""
