"""Tests, as users meet the product: the public API, the commands, real files."""
