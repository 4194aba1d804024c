"""The playground in a real browser, against the real service, as people meet it."""

import json
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import CHROMIUM, MISSING, Visitor, chromium
from tests.servers import service
from tinyclf import Classifier
from tinyclf.bundle import MANIFEST, MODEL, TOKENIZER, default_bundle, write_bundle

JOY, SORROW = "con làm được rồi", "con được mười điểm mà ba không về xem"
EVIL = "<img src=x onerror=document.title='evil'>"
TARGETS = "button:visible, input:visible, textarea:visible, summary:visible, a:visible"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip(MISSING)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with service() as url:
        yield url


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visitor]:
    visitor = Visitor(browser)
    yield visitor
    visitor.leave()
    assert visitor.problems == []


def face(page: Page) -> str:
    return str([page.get_attribute(part, "d") for part in ("#mouth", "#eye-left", "#brow-left")])


def percent(p: float) -> str:
    """As a Vietnamese browser writes a figure of the service: halves are rounded up."""
    return f"{(100 * Decimal(str(p))).quantize(Decimal('0.1'), ROUND_HALF_UP)}%".replace(".", ",")


def shows(page: Page, clf: Classifier, utterance: str, previous: str = "") -> None:
    """The page comes to show what the service decides: classes, percentages, confidence, celebration."""
    decision = clf(utterance, previous)
    told = decision.to_dict()["probabilities"]
    shares = [percent(p) for row in told.values() for p in row.values()]
    classes = [(known, decision[head.name] == known.name) for head in clf.labels.heads for known in head.classes]
    sparkles = any(known.sparkle and chosen for known, chosen in classes)
    expect(page.locator(".share")).to_have_text(shares)
    marked = page.locator(".bars li").evaluate_all("all => all.map(e => e.classList.contains('chosen'))")
    assert marked == [chosen for _, chosen in classes]
    expect(page.locator("#caption")).to_have_text(next(known.name for known, chosen in classes if chosen))
    expect(page.locator("#confidence")).to_have_text(percent(decision.to_dict()["confidence"]))
    expect(page.locator("#source")).to_have_text(decision.source)
    for time in ("#server", "#trip"):
        expect(page.locator(time)).to_contain_text("s")
    expect(page.locator("#stage[data-celebrating]")).to_have_count(int(sparkles))
    expect(page.locator("#cheer")).to_be_visible(visible=sparkles)


def test_an_achievement_is_celebrated_and_sorrow_is_not(visit: Visitor, url: str, clf: Classifier) -> None:
    page = visit(url)
    faces = [face(page)]
    page.locator("#utterance").press_sequentially(JOY)  # it decides while people type
    shows(page, clf, JOY)
    faces.append(face(page))
    expect(page.locator("#live")).to_contain_text(str(clf(JOY)[clf.labels.heads[0].name]))
    page.fill("#utterance", SORROW)
    shows(page, clf, SORROW)
    assert len({*faces, face(page)}) == 3


def test_the_robot_dances_and_its_face_moves_smoothly(visit: Visitor, url: str) -> None:
    page = visit(url, reduced_motion="no-preference")
    page.evaluate("""new MutationObserver(all => (window.steps = (window.steps ?? 0) + all.length))
        .observe(document.getElementById("mouth"), {attributeFilter: ["d"]})""")
    page.fill("#utterance", JOY)
    expect(page.locator("#stage[data-dancing]")).to_have_count(1)
    page.wait_for_function("steps > 5 && document.getElementById('confetti').width > 0")


def test_an_example_brings_the_turn_before(visit: Visitor, url: str, clf: Classifier) -> None:
    page = visit(url)
    turn = next(example.turn for example in clf.labels.examples if example.turn.previous)
    page.locator("#examples button", has_text=turn.previous).first.click()
    assert (page.input_value("#previous"), page.input_value("#utterance")) == (turn.previous, turn.utterance)
    shows(page, clf, turn.utterance, turn.previous)
    expect(page.locator("#expected")).to_contain_text(clf.labels.heads[0].name)


def test_only_the_newest_answer_counts(visit: Visitor, url: str, clf: Classifier) -> None:
    page = visit(url)
    held: list[Route] = []
    page.route("**/v1/classify", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/v1/classify"):
        page.fill("#utterance", SORROW)
    page.fill("#utterance", JOY)
    shows(page, clf, JOY)
    held[0].continue_()  # the older one comes last
    page.wait_for_timeout(150)
    shows(page, clf, JOY)


def test_the_keyboard_is_enough(visit: Visitor, url: str, clf: Classifier) -> None:
    page = visit(url)
    one, two = (example.turn.utterance for example in clf.labels.examples[:2])
    for key, text in (("/", ""), ("ArrowDown", one), ("ArrowDown", two), ("ArrowUp", one), ("Escape", "")):
        page.keyboard.press(key)
        expect(page.locator("#utterance")).to_be_focused()
        assert page.input_value("#utterance") == text
    page.keyboard.type(JOY)
    page.keyboard.press("Enter")
    shows(page, clf, JOY)
    page.evaluate("window.met = new Set()")
    for _ in range(page.locator(TARGETS).count() + 1):
        page.keyboard.press("Tab")
        page.evaluate(
            "getComputedStyle(document.activeElement).outlineStyle != 'none' && met.add(document.activeElement)"
        )
    assert page.evaluate("met.size") == page.locator(TARGETS).count()
    assert page.locator("input, textarea").evaluate_all("all => all.filter(e => !e.labels.length).length") == 0


def test_the_language_is_the_visitor_s_and_is_remembered(visit: Visitor, url: str, clf: Classifier) -> None:
    page = visit(url, locale="en-GB")
    page.fill("#utterance", JOY)
    known = next(known for known in clf.labels.heads[0].classes if known.name == clf(JOY)[clf.labels.heads[0].name])
    expect(page.locator("#hints")).to_contain_text(known.hint["en"])
    page.click("button[lang=vi]")
    expect(page.locator("#hints")).to_contain_text(known.hint["vi"])
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    assert page.evaluate("Object.values({...localStorage, ...sessionStorage})") == ["vi"]
    assert page.input_value("#utterance") == ""


def test_a_phone_shows_everything(visit: Visitor, url: str) -> None:
    page = visit(url, width=360)
    page.fill("#utterance", JOY * 20)
    page.click("#all")
    page.click("summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = "all => all.filter(e => Math.min(e.offsetWidth, e.offsetHeight) < 44).map(e => e.outerHTML)"
    assert page.locator(TARGETS).evaluate_all(small) == []


def test_another_label_set_and_names_that_would_be_code(visit: Visitor, tmp_path: Path) -> None:
    """No looks, no hints, an any-of head with all its classes chosen, and markup in every name: shown, never run."""
    heads = json.loads((default_bundle() / MANIFEST).read_text())["label_set"]["heads"]
    sizes = {head["name"]: len(head["classes"]) for head in heads}
    names = {name: [f"{EVIL} {i}" for i in range(size)] for name, size in sizes.items()}
    one, several = names
    heads = [{"name": name, "classes": [{"name": known} for known in names[name]]} for name in names]
    heads[0]["default"], heads[1]["kind"] = names[one][0], "any-of"
    example = {"utterance": EVIL, "labels": {one: names[one][0], several: []}}
    label_set = {"name": "other", "heads": heads, "examples": [example]}
    points = {"balanced": {"gates": {several: dict.fromkeys(names[several], 0.0)}}}
    contents = {name: (default_bundle() / name).read_bytes() for name in (MODEL, TOKENIZER)}
    write_bundle(tmp_path, {"name": "other", "label_set": label_set, "operating_points": points}, contents)
    with service("--bundle", tmp_path) as url:
        page = visit(url)
        page.click("#examples button")
        expect(page.locator(".bars li.chosen")).to_have_count(1 + sizes[several])
        expect(page.locator("#examples button")).to_have_text(EVIL)
        expect(page.locator("#caption")).to_contain_text(EVIL)
        expect(page.locator("#stage[data-celebrating]")).to_have_count(0)
        assert (page.locator("img").count(), "evil" in page.title()) == (0, False)


def test_the_page_outlives_the_service(visit: Visitor, clf: Classifier) -> None:
    with service() as url:
        page = visit(url, faults=True)
    page.fill("#utterance", JOY)
    expect(page.locator("#notice")).to_contain_text("python -m serve")
    with service("--port", url.rsplit(":", 1)[1]):
        expect(page.locator("#notice")).to_be_hidden(timeout=15_000)
        shows(page, clf, JOY)


def test_a_key_is_asked_for_and_kept_in_memory(visit: Visitor, clf: Classifier, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("correct-horse-battery\n")
    with service("--key-file", tmp_path / "keys") as url:
        page = visit(url, faults=True)
        page.fill("#utterance", JOY)
        for key, refused in (("wrong-horse-battery", True), ("correct-horse-battery", False)):
            page.fill("#key[type=password]", key)
            page.keyboard.press("Enter")
            expect(page.locator("#notice")).to_be_visible(visible=refused)
        shows(page, clf, JOY)
        page.reload()
        expect(page.locator("#key-form")).to_be_visible()
