"""Fine-tuning the teacher on gold rows, in the very form in which it is asked later (extra ``finetune``)."""
