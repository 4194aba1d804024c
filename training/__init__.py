"""From labelled utterances to a calibrated student."""
