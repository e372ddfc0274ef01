"""The ablation study of embedding heads: frozen features are cached, and every row of the table trains on them."""
