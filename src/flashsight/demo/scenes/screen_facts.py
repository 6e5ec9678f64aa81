"""Says what is true of a screen: its kind, texts, buttons with their state, and what went wrong. Knows no pixel."""

from __future__ import annotations

import random

from flashsight.demo.material import words
from flashsight.demo.scenes.asking import NOTHING, Facts, copied, listed, quoted, same
from flashsight.demo.scenes.canvas import Rgb
from flashsight.demo.scenes.screen_words import KINDS, Button, Screen
from flashsight.demo.vocabulary import COLOURS, Term


def has_failed(title: str | None) -> bool:
    """True when a title says that something went wrong."""
    return title is not None and any(
        word in title.lower() for word in ("失败", "错误", "failed", "error", "无法", "can't")
    )


KIND_OF_BUTTON = {
    (False, False): Term("按钮", "button"),
    (False, True): Term("主按钮", "primary button"),
    (True, False): Term("禁用的按钮", "disabled button"),
    (True, True): Term("禁用的按钮", "disabled button"),
}


def state_of(button: Button) -> Term:
    """What a button is, in a word."""
    if button.is_disabled:
        return Term("禁用", "disabled")
    return Term("主按钮", "primary") if button.is_primary else Term("可用", "enabled")


def _describe(screen: Screen) -> Term:
    zh, en = [f"这是{KINDS[screen.kind].zh}"], [f"This is {KINDS[screen.kind].en}"]
    if screen.title:
        zh[0] += f"，标题是{quoted(screen.title).zh}"
        en[0] += f" titled {quoted(screen.title).en}"
    if screen.error:
        zh.append(f"报错{quoted(screen.error).zh}")
        en.append(f"It shows the error {quoted(screen.error).en}")
    if screen.message:
        zh.append(f"提示{quoted(screen.message).zh}")
        en.append(f"The message is {quoted(screen.message).en}")
    if screen.fields:
        fields = listed(field.label for field in screen.fields)
        zh.append("输入框：" + fields.zh)
        en.append("Fields: " + fields.en)
    if screen.rows:
        rows = listed(row.text for row in screen.rows)
        zh.append("列表：" + rows.zh)
        en.append("Items: " + rows.en)
    if screen.buttons:
        buttons = listed(button.text for button in screen.buttons)
        zh.append("按钮：" + buttons.zh)
        en.append("Buttons: " + buttons.en)
    return Term("。".join(zh) + "。", ". ".join(en) + ".")


def _overview(screen: Screen) -> Term:
    """What the screen is, then its buttons and fields line by line."""
    kind = KINDS[screen.kind]
    title = quoted(screen.title) if screen.title else None
    zh = [f"这是{kind.zh}" + (f"，标题是{title.zh}。" if title else "。")]
    en = [f"This is {kind.en}" + (f" titled {title.en}." if title else ".")]
    for button in screen.buttons:
        state = KIND_OF_BUTTON[button.is_disabled, button.is_primary]
        zh.append(f"{copied(button.text)}：{state.zh}")
        en.append(f"{copied(button.text)}: {state.en}")
    for field in screen.fields:
        zh.append(f"{copied(field.label)}：输入框")
        en.append(f"{copied(field.label)}: input field")
    if len(zh) == 1:
        return Term(f"{zh[0]}没有按钮和输入框。", f"{en[0]} There are no buttons and no input fields.")
    return Term("\n".join(zh), "\n".join(en))


def _ticket(screen: Screen) -> Term | None:
    """On which screen which error is shown, in one sentence; None where nothing went wrong."""
    said = screen.error or (screen.title if has_failed(screen.title) else None)
    if said is None:
        return None
    kind, error = KINDS[screen.kind], quoted(said)
    title = quoted(screen.title) if screen.title and said != screen.title else None
    zh = f"在标题是{title.zh}的{kind.zh}中" if title else f"在{kind.zh}中"
    en = f"On {kind.en} titled {title.en}" if title else f"On {kind.en}"
    return Term(f"{zh}，出现提示{error.zh}。", f"{en}, the message {error.en} is shown.")


def _tell_buttons(facts: Facts, rng: random.Random, screen: Screen) -> None:
    buttons = screen.buttons
    if not buttons:
        facts.lack("buttons", "states", "primary", "disabled", weight=0.6)
        return
    facts.add("buttons", listed([button.text for button in buttons]), weight=3)
    states = [(copied(button.text), state_of(button)) for button in buttons]
    facts.add(
        "states",
        Term(
            "、".join(f"{text}（{state.zh}）" for text, state in states),
            ", ".join(f"{text} ({state.en})" for text, state in states),
        ),
        weight=2,
    )
    primary = [button.text for button in buttons if button.is_primary]
    disabled = [button.text for button in buttons if button.is_disabled]
    facts.add("primary", same(primary[0]) if primary else NOTHING["primary"], weight=1.5)
    facts.add("disabled", listed(disabled) if disabled else NOTHING["disabled"], weight=1.5 if disabled else 0.6)
    facts.add("count_buttons", same(str(len(buttons))), weight=0.4)
    facts.add("has_button", Term("有", "Yes"), x=same(rng.choice(buttons).text), weight=0.3)
    other = rng.choice(words.CONFIRM + words.CANCEL)[screen.language]
    if other not in [button.text for button in buttons]:
        facts.add("has_button", Term("没有", "No"), x=same(other), weight=0.3)


def tell_screen(facts: Facts, rng: random.Random, screen: Screen, surface: Rgb, accent_name: int) -> None:
    """Say everything that is true of a screen on a surface, with the number of its accent colour."""
    facts.add("describe", _describe(screen), weight=2)
    facts.add("overview", _overview(screen), weight=0.5)
    ticket = _ticket(screen)
    if ticket:
        facts.add("ticket", ticket, weight=0.7)
    else:
        facts.lack("ticket", weight=0.3)
    facts.add("kind", KINDS[screen.kind], weight=0.5)
    facts.add("what", KINDS[screen.kind], weight=0.4)
    _tell_buttons(facts, rng, screen)
    if screen.title:
        facts.add("title", same(screen.title), weight=2.5)
    else:
        facts.lack("title", weight=0.5)
    if screen.error:
        facts.add("error", same(screen.error), weight=2.5)
        problem = copied(screen.error)
        facts.add("problem", Term(f"用户遇到的问题是：{problem}", f"The user's problem: {problem}"), weight=2)
    elif screen.title and has_failed(screen.title):
        problem = copied(screen.title)
        facts.add("problem", Term(f"用户遇到的问题是：{problem}", f"The user's problem: {problem}"), weight=1.5)
    else:
        facts.lack("error", "problem", weight=0.7)
    if screen.message:
        facts.add("message", same(screen.message), weight=1)
    if screen.fields:
        facts.add("fields", listed([field.label for field in screen.fields]), weight=1.5)
        for field in screen.fields:
            facts.add(
                "value",
                same(field.value) if field.value else Term("未填写", "It is empty."),
                x=same(field.label),
                weight=0.6,
            )
    if screen.rows:
        facts.add("rows", listed([row.text for row in screen.rows]), weight=1.5)
        for row in screen.rows:
            if row.is_on is not None:
                state = Term("开启", "on") if row.is_on else Term("关闭", "off")
                facts.add("switch", state, x=same(row.text), weight=0.4)
    if screen.tabs:
        facts.add("tabs", listed(list(screen.tabs)), weight=1)
    facts.lack("price", weight=0.15)
    dark = sum(surface) < 384
    accent = COLOURS[accent_name].name
    ground = COLOURS[9 if dark else 10].name
    zh, en = f"{ground.zh}背景", f"{ground.en} background"
    if any(button.is_primary and not button.is_disabled for button in screen.buttons):
        zh, en = f"{zh}，{accent.zh}强调色", f"{en} with {accent.en} accents"
    facts.add("page_colour", Term(zh, en), weight=0.6)
