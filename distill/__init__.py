"""Offline jobs around the teacher: label utterances, audit the labels, fine-tune the teacher."""
