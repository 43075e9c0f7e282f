r"""What a reader can touch: soft labels, and a digit to draw."""

import html
import json
import re
import shutil

import pytest
import soft_labels
import torch
from conftest import ROOT, scroll_through
from drawings import strokes
from safetensors.torch import load_file
from test_browser import AXE, AXE_RUN, violations

from labkd import pictures, records
from labkd.data import CIFAR10_CLASSES
from labkd.lab import drawing

SCRIPT = ROOT / "docs/_site/theme/assets/touch.js"
FIRST_CHAPTER = "notebooks/01_hard_and_soft_labels/"
PLACES = ("", FIRST_CHAPTER, "notebooks/02_temperature/")
PHOTOGRAPHS = json.loads((pictures.FOLDER / "thumbnails.json").read_text())[
    "images"
]
SOFT, DRAW = "[data-soft-labels]", "[data-drawing]"


# ---- the records behind the photographs ----------------------------------


def recorded(size, name, folder):
    r"""Puts a record of the first seed into a folder, with its logits."""
    path = records.path_of(name, "laptop", 0)
    target = records.path_of(name, size, 0, folder)
    target.parent.mkdir(exist_ok=True)
    shutil.copy(path, target)
    logits = path.with_suffix(".logits.safetensors")
    shutil.copy(logits, target.with_suffix(".logits.safetensors"))


def test_the_larger_runs_are_shown_when_all_three_are_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        soft_labels.size_shown(tmp_path)
    for name in soft_labels.COLUMNS:
        recorded("laptop", name, tmp_path)
    assert soft_labels.size_shown(tmp_path) == "laptop"
    teacher, *students = soft_labels.COLUMNS
    recorded("overnight", teacher, tmp_path)
    recorded("overnight", students[0], tmp_path)
    assert soft_labels.size_shown(tmp_path) == "laptop"
    recorded("overnight", students[1], tmp_path)
    assert soft_labels.size_shown(tmp_path) == "overnight"
    path = records.path_of(students[1], "overnight", 0, tmp_path)
    path.with_suffix(".logits.safetensors").unlink()
    assert soft_labels.size_shown(tmp_path) == "laptop"


def test_of_what_is_recorded_the_largest_is_shown():
    shown = soft_labels.size_shown()
    larger = soft_labels.SIZES[: soft_labels.SIZES.index(shown)]
    for size in larger:
        paths = [records.path_of(n, size, 0) for n in soft_labels.COLUMNS]
        whole = [
            path.is_file()
            and path.with_suffix(".logits.safetensors").is_file()
            for path in paths
        ]
        assert not all(whole)


def softened(image, temperature):
    r"""The three networks' probabilities, from their records."""
    size = soft_labels.size_shown()
    index = PHOTOGRAPHS[image]["test_index"]
    answers = []
    for name in soft_labels.COLUMNS:
        path = records.path_of(name, size, 0)
        logits = load_file(path.with_suffix(".logits.safetensors"))["test"]
        answers.append((logits[index].double() / temperature).softmax(0))
    return torch.stack(answers)  # (networks, classes)


def test_what_stands_beside_it_is_the_records():
    text = html.unescape(soft_labels.block())
    size = soft_labels.size_shown()
    runs = [records.read(n, size, 0) for n in soft_labels.COLUMNS]
    for run in runs:
        assert f"{100 * run['test']['accuracy']:.1f}\xa0% right" in text
        assert records.budget_of(run) in text
        assert records.data_of(run) == records.data_of(runs[0])
    assert records.data_of(runs[0]) in text
    assert f"{runs[1]['parameters']:,} parameters" in text
    assert runs[1]["parameters"] == runs[2]["parameters"]
    assert f"T = {runs[2]['config']['temperature']:g}, the teacher's" in text
    # The teacher must be better than what it teaches.
    assert runs[0]["test"]["accuracy"] > runs[2]["test"]["accuracy"]


def test_the_first_photograph_is_right_and_the_least_sure():
    logits = torch.tensor([[3.0, 1], [1, 2], [0, 2], [1, 1.5]]).numpy()
    # The second is wrong, of the others the last says least for its label.
    assert soft_labels.least_sure(logits, [0, 0, 1, 1]) == 3


def test_it_is_told_what_the_students_make_of_the_first_photograph():
    block = soft_labels.block()
    text = re.sub(r"<[^>]+>", "", html.unescape(block))
    first = int(re.search(r'value="(\d+)"[^>]* checked', block)[1])
    label = PHOTOGRAPHS[first]["label"]
    place = CIFAR10_CLASSES.index(label)
    teacher, *students = softened(first, 1)
    # The teacher alone decides which it is.
    sure = {
        image: softened(image, 1)[0][CIFAR10_CLASSES.index(told["label"])]
        for image, told in enumerate(PHOTOGRAPHS)
        if CIFAR10_CLASSES[softened(image, 1)[0].argmax()] == told["label"]
    }
    assert first == min(sure, key=sure.get)
    second = CIFAR10_CLASSES[teacher.argsort()[-2]]
    assert f"After {label} the teacher gives most to {second}" in text
    right = [(student.argmax() == place).item() for student in students]
    assert soft_labels.outcome(*right) in text
    by_labels, by_teacher = (
        100 * records.read(n, soft_labels.size_shown(), 0)["test"]["accuracy"]
        for n in list(soft_labels.COLUMNS)[1:]
    )
    assert (
        "One photograph proves nothing: of 10,000 test images the student "
        f"taught by labels has {by_labels:.1f}\xa0% right, the one taught by "
        f"the teacher {by_teacher:.1f}\xa0%."
    ) in text


@pytest.mark.parametrize(
    "right, told",
    [
        ((True, True), "Both students are right."),
        ((False, False), "Both students are wrong."),
        ((True, False), "The student taught by labels is right,"),
        ((False, True), "The student taught by the teacher is right,"),
    ],
)
def test_who_is_right_is_said_whoever_it_is(right, told):
    assert soft_labels.outcome(*right).startswith(told)


# ---- soft labels in a browser ----------------------------------------------


def table_of(page, box):
    r"""Header, numbers and bars of each row of a table."""
    return page.evaluate(
        """box => [...document.querySelector(box).querySelectorAll("tbody tr")]
          .map(row => [row.cells[0].textContent,
            [...row.cells].slice(1).map(cell => [cell.textContent,
              Number(cell.style.getPropertyValue("--p"))])])""",
        box,
    )


def assert_shows(page, box, probabilities, tolerance=0.0006):
    rows = table_of(page, box)
    for place, (_, cells) in enumerate(rows):
        for network, (written, bar) in enumerate(cells):
            p = probabilities[network][place].item()
            assert bar == pytest.approx(p, abs=tolerance)
            assert written == soft_labels.written(bar) or float(
                written.removeprefix("<")
            ) == pytest.approx(p, abs=tolerance + 0.0005)


def assert_soft_labels(page, image, temperature):
    # Two decimals of a logit are kept.
    probabilities = softened(image, temperature)
    assert_shows(page, SOFT, probabilities, 0.006 / temperature)
    label = PHOTOGRAPHS[image]["label"]
    assert page.locator(f"{SOFT} .correct th").all_text_contents() == [label]
    assert page.locator(f"{SOFT} .chosen strong").text_content() == label
    spread = torch.special.entr(probabilities).sum(1).exp()
    for cell, number in zip(
        page.locator(f"{SOFT} tfoot td").all(), spread, strict=True
    ):
        shown = float(cell.text_content())
        assert shown == pytest.approx(number.item(), abs=0.05)
    names = [name for name, _ in table_of(page, SOFT)]
    assert names == list(CIFAR10_CLASSES)


@pytest.mark.parametrize("place", PLACES)
def test_the_keyboard_chooses_and_heats(open_page, place):
    page = open_page(place)
    slider = page.get_by_role("slider", name="Temperature")
    chosen = page.locator(f"{SOFT} :checked")
    first = int(chosen.get_attribute("value"))
    assert_soft_labels(page, first, 1)
    slider.focus()
    for key, temperature in (("End", 20), ("Home", 0.5)):
        page.keyboard.press(key)
        assert_soft_labels(page, first, temperature)
    for _ in range(24):  # eighths of a doubling: from a half to four
        page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "T = 4.00"
    chosen.focus()
    page.keyboard.press("ArrowRight")
    assert_soft_labels(page, (first + 1) % 24, 4)
    # A screen reader is told once, when the hand rests.
    said = page.locator(f"{SOFT} [role=status]")
    page.wait_for_timeout(900)
    label = PHOTOGRAPHS[(first + 1) % 24]["label"]
    assert said.text_content().startswith(f"Label: {label}. T = 4.00.")


def test_mouse_and_finger_choose_and_heat(open_page, browser, address):
    page = open_page("")
    page.get_by_role("radio", name="frog, test image 6275").click()
    assert_soft_labels(page, 16, 1)
    slider = page.get_by_role("slider")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + 8)
    assert_soft_labels(page, 16, 20)
    phone = browser.new_context(
        viewport={"width": 320, "height": 700}, has_touch=True
    )
    page = phone.new_page()
    page.goto(address)
    page.get_by_role("radio", name="deer, test image 4882").tap()
    assert_soft_labels(page, 13, 1)
    slider = page.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box["height"] >= 24
    page.touchscreen.tap(box["x"] + 2, box["y"] + 8)
    assert_soft_labels(page, 13, 0.5)
    phone.close()


def test_it_works_after_instant_navigation_and_back(open_page):
    page = open_page(PLACES[2])
    page.evaluate("window.stayed = true")
    for step in ("a.md-footer__link--prev", "a.md-footer__link--next"):
        page.locator(step).click()
        page.wait_for_load_state("networkidle")
        slider = page.get_by_role("slider")
        slider.focus()
        page.keyboard.press("End")
        image = page.locator(f"{SOFT} :checked").get_attribute("value")
        assert_soft_labels(page, int(image), 20)
    assert page.evaluate("window.stayed")


@pytest.mark.parametrize("scheme", ("light", "dark"))
@pytest.mark.parametrize("place", PLACES[:2])
def test_it_fits_a_small_phone_and_is_accessible(open_page, place, scheme):
    page = open_page(place, 320, scheme)
    scroll_through(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    for box in page.locator(".touch").all():
        room = box.bounding_box()
        for part in box.locator("fieldset, canvas, table, .heat, p").all():
            inside = part.bounding_box()
            if inside and part.is_visible():
                right = inside["x"] + inside["width"]
                assert right <= room["x"] + room["width"]
        overflowing = box.evaluate(
            """box => [...box.querySelectorAll("th, td, label, button")]
              .filter(e => e.scrollWidth > e.clientWidth + 1).length"""
        )
        assert overflowing == 0
    page.evaluate(AXE.read_text("utf-8"))
    assert violations(page.evaluate(AXE_RUN)) == []


def test_without_a_script_both_tables_stand_there(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + FIRST_CHAPTER)
    for box in (SOFT, DRAW):
        assert page.locator(f"{box} table").is_visible()
        for control in page.locator(f"{box} .control").all():
            assert not control.is_visible()
    written = [
        row.split()
        for row in page.locator(f"{SOFT} tbody tr").all_text_contents()
    ]
    assert "truck" in {row[0] for row in written}
    # Of the teacher, whose answers come first, some are above a thousandth.
    assert any(re.fullmatch(r"0\.\d{3}", row[1]) for row in written)
    context.close()


def test_the_script_asks_for_nothing_from_elsewhere():
    assert "http" not in SCRIPT.read_text("utf-8")


# ---- the networks that read a drawing -------------------------------------


RECORD = json.loads(drawing.path_of().read_text("utf-8"))


def test_the_teacher_is_better_and_the_students_budgets_are_equal():
    for split in ("validation", "test"):
        scores = [RECORD[name][split] for name in ("labels", "soft")]
        assert all(len(each) == RECORD["seeds"] for each in scores)
        assert RECORD["teacher"][split] > max(map(max, scores)) + 1
    sizes = {RECORD[name]["parameters"] for name in ("labels", "soft")}
    assert len(sizes) == 1 and sizes.pop() < RECORD["teacher"]["parameters"]


def test_the_weights_are_those_of_the_record():
    for name, network in drawing.networks().items():
        count = sum(p.numel() for p in network.parameters())
        assert count == RECORD[name]["parameters"]
        for split in ("validation", "test"):
            scores = RECORD[name][split]
            kept = scores[0] if isinstance(scores, list) else scores
            # Half precision may move one image of a hundred.
            right = drawing.percent_right(network, *drawing.split_of(split))
            assert right == pytest.approx(kept, abs=1)


def test_a_student_is_taught_as_the_record_says():
    images, labels = drawing.split_of("train")
    assert RECORD["ink"] == pytest.approx(1024 * images.mean().item())
    teacher = drawing.networks()["teacher"]
    lesson, rest = drawing.draw(0, images, labels)
    assert len(lesson[1]) == RECORD["settings"]["images"]
    assert len(lesson[1]) + len(rest[1]) == len(labels)
    rate = RECORD["soft"]["learning_rate"]
    taught = drawing.train_student(drawing.soft_loss, teacher, lesson, rate, 0)
    right = drawing.percent_right(taught, *drawing.split_of("test"))
    # The teacher is the shipped one, in half precision.
    assert right == pytest.approx(RECORD["soft"]["test"][0], abs=2)


@pytest.fixture
def canvas(open_page):
    page = open_page(FIRST_CHAPTER)
    page.locator(f"{DRAW} canvas").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    return page


def test_the_page_computes_what_pytorch_computes(canvas):
    images, _ = drawing.split_of("test")
    pixels = (16 * images[:100]).round().flatten(1)
    found = canvas.evaluate(
        "images => Promise.all(images.map(drawingLogits))", pixels.tolist()
    )
    batch = (pixels / 16).reshape(-1, 1, 8, 8)
    with torch.no_grad():
        expected = torch.stack(
            [n(batch) for n in drawing.networks().values()], dim=1
        )
    torch.testing.assert_close(
        torch.tensor(found), expected, rtol=0, atol=1e-4
    )


def draw_with(page, lines):
    r"""The strokes by mouse, in the middle of the canvas."""
    canvas = page.locator(f"{DRAW} canvas")
    box = canvas.bounding_box()
    scale = box["height"] / 175
    for stroke in lines:
        points = [
            (
                box["x"] + box["width"] / 2 + (x - 50) * scale,
                box["y"] + box["height"] / 2 + (y - 70) * scale,
            )
            for x, y in stroke
        ]
        page.mouse.move(*points[0])
        page.mouse.down()
        # A quick hand: each move waits for a frame, so every second one.
        for point in [*points[2:-1:2], points[-1]]:
            page.mouse.move(*point)
        page.mouse.up()


def seen_by_the_networks(page):
    return page.evaluate(
        """() => [...document.querySelectorAll(".seen rect")]
          .map(rect => 16 * rect.getAttribute("fill-opacity"))"""
    )


def settled(page):
    # A frame to ask in, and one to answer in.
    page.evaluate(
        """() => new Promise(done => requestAnimationFrame(
          () => requestAnimationFrame(() => setTimeout(done, 20))))"""
    )


def choices(page):
    r"""What the networks take it for, and their probabilities."""
    rows = table_of(page, DRAW)
    bars = [[bar for _, bar in cells] for _, cells in rows]
    columns = list(zip(*bars, strict=True))
    return [column.index(max(column)) for column in columns], columns


def test_thirty_drawings(canvas, capsys):
    right = torch.zeros(3)
    for digit in range(10):
        for way in range(3):
            canvas.locator(".clear").click()
            draw_with(canvas, strokes(digit, way))
            settled(canvas)
            pixels = seen_by_the_networks(canvas)
            assert sum(pixels) == round(RECORD["ink"])
            assert max(pixels) <= 16
            chosen, columns = choices(canvas)
            right += torch.tensor([c == digit for c in chosen])
            # The table shows what PyTorch says of these pixels.
            image = torch.tensor(pixels).reshape(1, 1, 8, 8) / 16
            for column, network in zip(
                columns, drawing.networks().values(), strict=True
            ):
                p = network(image).softmax(1)[0]
                assert column == pytest.approx(p.tolist(), abs=1e-4)
    with capsys.disabled():
        print(f"\nright of thirty drawings: {right.tolist()}")
    # Clearly better than the one in ten of a guess.
    assert right.min() >= 15 and right[0] >= 24


def test_buttons_load_digits_by_keyboard(canvas):
    networks = drawing.networks()
    examples = drawing.doubtful(networks["teacher"])
    button = canvas.get_by_role("button", name="Load a 0 of the test images")
    button.focus()
    for digit in range(10):
        canvas.keyboard.press("Enter")
        settled(canvas)
        assert seen_by_the_networks(canvas) == examples[digit].tolist()
        chosen, _ = choices(canvas)
        assert chosen[0] == digit  # the teacher is right on these
        canvas.keyboard.press("Tab")
    said = canvas.locator(f"{DRAW} [role=status]")
    canvas.wait_for_timeout(900)
    assert said.text_content().startswith("Teacher: 9, ")


def test_a_finger_draws_and_the_page_stays(browser, address):
    phone = browser.new_context(
        viewport={"width": 390, "height": 800}, has_touch=True
    )
    page = phone.new_page()
    page.goto(address + FIRST_CHAPTER)
    # What has not come near yet has a height that is a guess.
    scroll_through(page)
    canvas = page.locator(f"{DRAW} canvas")
    canvas.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    box = canvas.bounding_box()
    session = phone.new_cdp_session(page)
    path = [(0.2, 0.2), (0.5, 0.2), (0.8, 0.2), (0.6, 0.5), (0.4, 0.9)]
    for number, (x, y) in enumerate(path):
        point = {
            "x": box["x"] + x * box["width"],
            "y": box["y"] + y * box["height"],
        }
        kind = "touchMove" if number else "touchStart"
        session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]}
        )
    session.send(
        "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
    )
    settled(page)
    assert canvas.bounding_box()["y"] == pytest.approx(box["y"], abs=1)
    pixels = seen_by_the_networks(page)
    assert sum(pixels) == round(RECORD["ink"])
    # The table shows what PyTorch says of these pixels.
    image = torch.tensor(pixels).reshape(1, 1, 8, 8) / 16
    p = drawing.networks()["teacher"](image).softmax(1)[0]
    assert choices(page)[1][0] == pytest.approx(p.tolist(), abs=1e-4)
    phone.close()
