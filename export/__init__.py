"""From a trained student to a bundle: folding, quantising, parity, model card."""
