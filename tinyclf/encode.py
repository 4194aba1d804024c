"""Text to ids, the one place: training, export parity and the runtime all call ``Encoder``."""

from sentencepiece import SentencePieceProcessor

from tinyclf.turn import check_types, encodable

PAD = 0
"""The id at both ends of a sequence, between segments and behind shorter rows of a batch."""
UNKNOWN = 1
"""The id of any piece that the vocabulary does not hold."""

# A child's turn is short. What counts stands at the end of an utterance and of a question, at the start of an answer.
UTTERANCE_IDS, PREVIOUS_IDS, REPLY_IDS = 64, 32, 32
CHARS_PER_ID = 8
UTTERANCE_CHARS = UTTERANCE_IDS * CHARS_PER_ID


class Encoder:
    """Turns the segments of a turn into one sequence of ids.

    The sequence is ``PAD previous PAD utterance PAD reply PAD``; absent segments are left out with their PAD. Each
    segment has its own block of ids (the vocabulary size apart), so that the student can tell a word that the child
    said from the same word said by the robot. Normalisation (NFKC, lower case, punctuation, invisible characters,
    stretched letters) is compiled into the tokenizer model. Texts are cut before they are tokenised, so the time is
    bounded for any input length.
    """

    def __init__(self, tokenizer: bytes) -> None:
        self._processor = SentencePieceProcessor(model_proto=tokenizer)
        self._encode = self._processor.encode
        self.vocabulary: int = self._processor.vocab_size()
        self._nothing = {UNKNOWN, self._processor.piece_to_id("▁")}

    def pieces(self) -> list[str]:
        """The vocabulary as text, in the order of ids."""
        return [str(self._processor.id_to_piece(i)) for i in range(self.vocabulary)]

    def __call__(self, utterance: str, previous: str = "", reply: str = "") -> list[int]:
        """The ids of a turn, or ``[]`` when the end of the utterance holds nothing that the vocabulary knows.

        Raises ``InputError`` when a segment is no ``str``.
        """
        if not (type(utterance) is type(previous) is type(reply) is str):
            check_types(utterance, previous, reply)
        if len(utterance) > UTTERANCE_CHARS:
            utterance = utterance[-8 * UTTERANCE_CHARS :].rstrip()[-UTTERANCE_CHARS:]  # a long blank end hides no words
        said = self._pieces(utterance)[-UTTERANCE_IDS:]
        if self._nothing.issuperset(said):
            return []
        ids = [PAD, *said, PAD]
        if previous:
            before = self._pieces(previous[-PREVIOUS_IDS * CHARS_PER_ID :])[-PREVIOUS_IDS:]
            if before:
                ids = [PAD, *[i + self.vocabulary for i in before], *ids]
        if reply:
            after = self._pieces(reply[: REPLY_IDS * CHARS_PER_ID])[:REPLY_IDS]
            if after:
                ids = [*ids, *[i + 2 * self.vocabulary for i in after], PAD]
        return ids

    def _pieces(self, text: str) -> list[int]:
        try:
            return self._encode(text)  # type: ignore[no-any-return]
        except Exception:  # its kind for lone surrogates differs between versions of the binding
            return self._encode(encodable(text))  # type: ignore[no-any-return]

    def normalise(self, text: str) -> str:
        """The text as the student sees it, for reports and duplicate checks."""
        return str(self._processor.normalize(encodable(text))).replace("▁", " ").strip()
