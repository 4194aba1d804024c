"""Turns of which the default student, whichever it is, is sure or not."""

from tinyclf import Classifier

SURE = "con làm được rồi"
HALF_SAID = ("con hát", "cái này nè", "hôm qua á", "con được á", "thì là")
_decide = Classifier.load()
UNSURE = min(HALF_SAID, key=lambda text: _decide(text).confidence)
