"""How people ask, in Chinese and English: several phrasings of every question. Knows no picture and no answer.

Each entry is `key: Chinese phrasings / … // English phrasings / …`; `{x}` stands for a word of the picture.
"""
# ruff: noqa: E501

from __future__ import annotations

import random

from flashsight.demo.sample import Language, Skill
from flashsight.demo.scenes import more_questions
from flashsight.presets import load_presets

_TEXT = """
describe: 请描述这张图片的内容 / 描述一下这张图片 / 图里有什么? / 这张图片展示了什么? / 请介绍图片内容。 / 简单描述图片 / 看看这张图 / 这张图讲了什么? / 用几句话描述这张图 / 图片内容是什么 // Describe this picture / What is in this picture? / Describe the image. / What does this image show? / Please describe what you see. / What can you see? / Tell me about this picture / Describe what is shown.
what: 这是什么? / 图里是什么? / 这是什么东西? / 图中的物体是什么? / 请说出图中的物品。 / 这个是什么? / 这是啥? / 识别一下这是什么 / 图上画的是什么? / 这张图是什么? // What is this? / What is it? / What object is shown? / Name the object in the picture. / What is shown here? / What's this? / What is in the picture? / What does the picture show? / Identify this.
category: 它属于什么类别? / 这是哪一类东西? / 类别是什么? / 属于哪个品类? / 商品类别是什么? / 这属于哪一类? / 它是哪类物品? // What category is it? / Which category does it belong to? / What kind of thing is it? / Category? / What type of thing is this? / Which category is it in?
colour: 它是什么颜色? / 这个东西是什么颜色的? / 图片的主要颜色是什么? / 主要颜色是什么? / 颜色是什么? / 什么颜色? / 商品是什么颜色? / 这是什么颜色的? / 颜色? // What colour is it? / What color is it? / What is the main colour? / What is the main color of the picture? / Which color does it have? / What's its colour? / What color is this? / Colour?
page_colour: 图片的主要颜色是什么? / 主要颜色是什么? / 界面是什么颜色? / 页面的配色是什么? // What is the main colour? / What is the main color of the picture? / What colours does the page use? / What is the color scheme?
material: 它是什么材质? / 材质是什么? / 用什么材料做的? / 商品的材质是什么? / 是什么料子? / 商品用的什么材质? / 材质? / 是什么材料? // What material is it? / What is it made of? / Which material? / What is the material? / What material is used? / Material?
price: 价格是多少? / 多少钱? / 这个卖多少钱? / 现价是多少? / 商品价格? / 售价多少? / 标价是多少? / 要多少钱? / 价钱是多少? / 价格? // What is the price? / How much is it? / What does it cost? / How much does this cost? / Price? / What's the price? / How much does it cost? / What price is shown?
old_price: 原价是多少? / 打折前多少钱? / 划线价是多少? // What was the old price? / What was the original price? / How much was it before?
badge: 有什么角标? / 图上有什么促销标签? / 角标写了什么? / 有什么标签? / 角标是什么? / 左上角或右上角的标签写了什么? / 有角标吗? // What does the badge say? / Is there a badge? / What is the promotional label? / Which label is on it? / What badge does it have? / What does the label in the corner say?
features: 有哪些卖点? / 产品卖点是什么? / 这个商品有什么特点? / 列出卖点。 / 有哪些特点? / 图上写了哪些卖点? / 商品有哪些优点? / 卖点有哪些? // What are the selling points? / List the features. / What are the key features? / Which features are listed? / What features does it have? / Name the selling points.
json: 请按JSON输出商品信息 / 提取商品属性,用JSON输出 / 请分析这张商品图，输出 category, color, material, key_features, marketing_copy 的 JSON / 生成商品属性和营销文案 / 用JSON描述这个商品 / 请提取商品的类别、颜色、材质、卖点并写一句营销文案，用JSON回答 // Extract the product attributes as JSON / Return JSON with category, color, material, key_features, marketing_copy / Describe the product as JSON. / Give category, color, material, key features and marketing copy in JSON. / Analyse this product picture and answer in JSON.
copy: 写一句营销文案 / 请为这个商品写一句文案。 / 帮我写句广告语 / 生成一句商品文案 // Write a line of marketing copy / Write a short product slogan. / Write one sentence of ad copy. / Give me a short product description.
title: 标题是什么? / 页面标题是什么? / 标题写了什么? / 请读出标题。 / 这个界面的标题是什么? / 这个页面叫什么? / 顶部的标题是什么? / 弹窗标题是什么? / 商品标题是什么? // What is the title? / What does the title say? / Read the title. / What is the page title? / What's the title? / What is the heading? / What is it titled?
buttons: 有哪些按钮? / 页面上有哪些按钮? / 列出所有按钮。 / 可以点哪些按钮? / 图中有哪些按钮? / 截图里有什么按钮? / 有什么按钮? / 这个界面有哪些按钮? / 页面里有哪些按钮可以点? / 按钮有哪些? // Which buttons are there? / What buttons are there? / List the buttons. / Which buttons does the page have? / What buttons can I see? / What are the buttons? / Name all buttons. / Which buttons can be clicked?
states: 有哪些按钮，各是什么状态? / 列出按钮及其状态。 / 每个按钮的状态是什么? / 按钮的状态如何? // List the buttons with their state. / Which buttons are there and in what state? / What is the state of each button?
primary: 主按钮是哪个? / 哪个是主要按钮? / 突出显示的按钮是哪个? / 主操作按钮是什么? / 哪个按钮是主按钮? / 主要的按钮是哪一个? // Which button is primary? / What is the primary button? / Which button is highlighted? / What is the main action? / Which one is the primary button? / What is the main button? / Which button stands out?
disabled: 哪个按钮不可用? / 有禁用的按钮吗? / 哪些按钮是灰色不能点的? / 哪个按钮被禁用了? / 禁用的按钮是哪个? / 哪个按钮不能点? / 有没有不可用的按钮? / 哪个按钮是灰的? // Which button is disabled? / Is any button disabled? / Which buttons are greyed out? / What button cannot be clicked? / Which button is greyed out? / Are any buttons disabled?
error: 报错信息是什么? / 错误提示写了什么? / 有什么报错? / 错误信息是什么? / 有没有报错? / 页面报了什么错? / 出现了什么错误? / 报什么错? / 错误内容是什么? // What is the error message? / What does the error say? / Is there an error? / Read the error message. / What error is shown? / Which error occurred? / What error message is displayed?
problem: 用户遇到了什么问题? / 出了什么问题? / 这个用户碰到什么问题了? / 请用一句话说明用户遇到的问题 / 哪里出错了? / 用户为什么失败了? / 遇到什么问题了? / 怎么回事? // What problem did the user run into? / What went wrong? / What is the user's problem? / Summarise the problem in one sentence. / What is the problem? / What happened to the user?
fields: 有哪些输入框? / 表单里有哪些字段? / 需要填写哪些内容? / 列出输入项。 / 有几个输入框，分别是什么? / 要填哪些信息? // Which fields are there? / List the input fields. / What has to be filled in? / Which fields does the form have? / What fields are in the form? / What do I have to enter?
value: “{x}”填了什么? / {x}是多少? / {x}一栏的内容是什么? // What is entered for "{x}"? / What is the value of {x}? / What does the field {x} contain?
rows: 列表里有哪些项? / 有哪些选项? / 列出所有条目。 / 菜单里有什么? / 有哪些设置项? / 列表内容是什么? // Which items are in the list? / List the entries. / What options are there? / What is in the menu? / What is on the list? / List all items.
switch: “{x}”打开了吗? / {x}的开关是开还是关? / {x}是否开启? // Is "{x}" on? / Is {x} switched on or off? / What is the state of {x}?
tabs: 底部有哪些标签? / 导航栏有哪些项? / 有哪些标签页? // Which tabs are there? / What is in the navigation bar? / List the tabs.
message: 提示内容是什么? / 提示写了什么? / 说明文字是什么? / 弹窗里写了什么? // What does the message say? / Read the message. / What is the message? / What does the text below the title say?
has_button: 有“{x}”按钮吗? / 图中有没有“{x}”这个按钮? // Is there a "{x}" button? / Does it have a button "{x}"?
count_buttons: 有几个按钮? / 一共多少个按钮? // How many buttons are there? / How many buttons does it have?
kind: 这是什么类型的界面? / 这是什么界面? / 这是什么页面? // What kind of screen is this? / What type of interface is this? / What sort of page is this?
read: 图中有哪些文字? / 读出图中的文字。 / 图里写了什么? / 请识别图中文字 / 图片上的文字是什么? / 文字内容是什么? / 把图里的字读出来 / 提取图片中的文字 / 图上有什么字? / 识别文字 // What text is in the picture? / Read the text. / What does it say? / Transcribe the text. / What is written here? / Extract the text. / Read everything. / What words are in the picture?
line: 第{x}行写了什么? / 请读出第{x}行。 / 第{x}行是什么? // What does line {x} say? / Read line {x}. / What is on line {x}?
count_lines: 有几行文字? / 一共几行? // How many lines of text are there? / How many lines?
icons: 图中有哪些图标? / 列出图里的东西。 / 图里有哪些东西? / 都有什么? // Which icons are there? / List what is shown. / What things are in the picture? / Name everything in it.
count: 图中有几个图标? / 有几个东西? / 一共有多少个? // How many icons are there? / How many things are there? / How many are shown?
left: 左边是什么? / 最左边的是什么? // What is on the left? / What is leftmost?
right: 右边是什么? / 最右边的是什么? // What is on the right? / What is rightmost?
place: 第{x}个是什么? / 从左上数第{x}个是什么? // What is number {x}? / What is the item at position {x}?
has: 图里有{x}吗? / 图中有没有{x}? / 能看到{x}吗? // Is there a {x}? / Do you see a {x}? / Does the picture show a {x}?
chart_kind: 这是什么图? / 这是什么类型的图表? / 图表类型是什么? / 图表是哪种类型? // What kind of chart is this? / What type of chart is it? / Which chart is it? / What chart type is this?
largest: 哪一项最大? / 最高的是哪个? / 哪个数值最大? / 最大值是哪一项? / 哪个最高? / 哪个最多? / 谁最大? / 最大的是哪一项? / 占比最大的是哪个? // Which is the largest? / Which item is highest? / What has the largest value? / Which one is the biggest? / Which is highest? / What is the maximum? / Which has the highest value? / Which one is the largest?
smallest: 哪一项最小? / 最低的是哪个? / 哪个数值最小? / 最小值是哪一项? / 哪个最低? / 哪个最少? / 谁最小? / 最小的是哪一项? / 占比最小的是哪个? // Which is the smallest? / Which item is lowest? / What has the smallest value? / Which one is the least? / Which is lowest? / What is the minimum? / Which has the lowest value? / Which one is the smallest?
extremes: 哪个最高，哪个最低? / 哪个月最高，哪个月最低? / 哪一项最大，哪一项最小? / 最大值和最小值分别是哪一项? / 最多和最少的分别是哪个? / 哪个最多，哪个最少? // Which is the highest and which is the lowest? / Which are the largest and the smallest? / What are the maximum and the minimum? / Which item is highest, which is lowest? / Which has the most and which the least?
value_of: {x}是多少? / {x}的数值是多少? / {x}的值? / {x}对应的数值是多少? / {x}有多少? / {x}是几? // What is the value of {x}? / How much is {x}? / What value does {x} have? / What's the value for {x}? / What number does {x} have? / {x}?
values: 列出所有数值。 / 各项数据是多少? / 每一项分别是多少? / 把数据读出来 / 每项的值是什么? // List the values. / What are all the values? / Give every value. / Read all values. / What are the values? / List all data.
labels: 有哪些类别? / 图表里有哪几项? / 横轴有哪些项? // Which categories are there? / What items are in the chart? / List the categories.
chart_title: 图表的标题是什么? / 标题是什么? / 这张图表在说什么? // What is the chart's title? / What is the title? / What is the chart about?
trend: 整体趋势如何? / 是上升还是下降? / 变化趋势是什么? // What is the trend? / Does it rise or fall? / Is it going up or down?
differ: 两张图有什么不同? / 这两张图片有什么区别? / 找出两张图的差异。 / 对比这两张图片 / 有哪些不同? / 两张图哪里不一样? / 两张图的区别是什么? / 这两张图差在哪里? / 有什么变化? // What is different between the two pictures? / What differs? / Compare the two pictures. / Find the difference. / How do these images differ? / What has changed? / What is the difference? / Spot the difference.
same: 两张图一样吗? / 这两张图片相同吗? // Are the two pictures the same? / Are these images identical?
first: 第一张图是什么? / 第一张图片里有什么? // What is in the first picture? / What does the first image show?
second: 第二张图是什么? / 第二张图片里有什么? // What is in the second picture? / What does the second image show?
item_of: 哪一项是{x}? / 哪个的数值是{x}? / {x}是哪一项的值? // Which item is {x}? / Which one has the value {x}? / What does {x} belong to?
count_items: 有几项? / 一共有几个类别? / 图表里有多少项? // How many items are there? / How many categories does the chart have?
overview: 先说这是什么页面，再逐行列出按钮和输入框。 / 逐行列出界面上的按钮和输入框 / 列出按钮和输入框，每行一个，写明是什么 // Say what screen this is, then list its buttons and input fields, one per line. / List buttons and input fields, one per line.
ticket: 用一句话写成工单标题 / 用一句话概括用户在哪个界面遇到了什么问题 / 一句话说明在哪里出现了什么报错 // Write one sentence for a support ticket. / Say in one sentence on which screen which error is shown.
differ_lines: 逐行列出两张图的不同之处 / 列出两张图的差异，每行一条 // List the differences line by line. / List what differs, one per line.
"""

LANGUAGES: tuple[Language, ...] = ("zh", "en")
PRESETS = {"product": "json", "screen": "overview", "ticket": "ticket", "difference": "differ_lines"}
"""Which of the product's presets asks what."""

DRESSED = 0.12  # of the questions come with words around them
BEFORE = {
    "zh": ("请问", "请问，", "你好，", "帮我看看，", "看图回答：", "根据图片回答："),
    "en": ("Please tell me: ", "Hi, ", "Look at the picture. ", "Question: ", "From the picture: "),
}
AFTER = {
    "zh": ("只陈述事实。", "请简短回答。", "不要编造。", "直接回答。", "谢谢"),
    "en": (" State facts only.", " Answer briefly.", " Do not guess.", " Thanks", " Be short."),
}


Phrasings = dict[str, dict[Language, tuple[str, ...]]]


def _read(text: str) -> Phrasings:
    found: Phrasings = {}
    for line in text.strip().splitlines():
        key, _, rest = line.partition(": ")
        zh, _, en = rest.partition(" // ")
        found[key] = {"zh": tuple(zh.split(" / ")), "en": tuple(en.split(" / "))}
    return found


def _phrasings() -> Phrasings:
    found = _read(_TEXT)
    presets = load_presets()
    for name, key in PRESETS.items():
        for language in LANGUAGES:
            found[key][language] += (presets[name].prompt.of(language),)
    return found


PHRASINGS = _phrasings()
MORE = _read(more_questions.TEXT)


def ask(rng: random.Random, key: str, language: Language, x: str = "", topic: Skill | None = None) -> str:
    """One phrasing of a question; its closing mark and what stands around it vary as people's do.

    topic: what the picture is about, where it may be asked in more ways than validation does.
    """
    phrasings = PHRASINGS[key][language]
    if topic:
        phrasings += further_phrasings(key, topic, language)
    text = _closed(rng, rng.choice(phrasings).replace("{x}", x), language)
    if rng.random() > DRESSED:
        return text
    if rng.random() < 0.5:
        return rng.choice(BEFORE[language]) + text
    return (text if text[-1] in "?？。." else text + ("，" if language == "zh" else ".")) + rng.choice(AFTER[language])


def further_phrasings(key: str, topic: str, language: Language) -> tuple[str, ...]:
    """What only training asks in place of a question's usual words, about a picture of this topic."""
    return tuple(text for name in (key, f"{key}@{topic}") if name in MORE for text in MORE[name][language])


def _closed(rng: random.Random, text: str, language: Language) -> str:
    if text[-1] not in "?？。.":
        return text + rng.choice(("", "", "。" if language == "zh" else "."))
    if text[-1] == "?" and language == "zh":
        return text[:-1] + rng.choice(("？", "？", "？", "?", ""))
    return text if rng.random() < 0.85 else text[:-1]


def all_questions() -> list[str]:
    """Every phrasing, for the tokenizer."""
    return [text for phrasings in PHRASINGS.values() for texts in phrasings.values() for text in texts]
