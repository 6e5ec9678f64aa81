"""The words of a report in Chinese and English. Knows no figure."""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("看图模型概念验证报告", "Proof of concept: a vision-language model"),
    "verdicts": ("结论", "Verdict"),
    "target": ("目标", "target"),
    "result": ("结果（95% 区间）", "result (95 % interval)"),
    "goal": ("要求", "goal"),
    "verdict": ("判定", "verdict"),
    "met": ("达到", "met"),
    "missed": ("未达到", "missed"),
    "open": ("未定", "open"),
    "met_why": ("整个区间都达到要求", "the whole interval reaches the goal"),
    "missed_why": ("整个区间都低于要求", "the whole interval falls short of the goal"),
    "open_why": ("区间跨过要求，还不能断定", "the interval lies on both sides of the goal"),
    "few_why": ("图片太少，无法判断", "too few pictures to tell"),
    "waiting_why": (
        "含多张同时处理的等待，请用 --mode sequential 另测",
        "it holds the waiting of many at once; measure with --mode sequential",
    ),
    "few": ("图片太少", "too few"),
    "none_why": ("没有测得", "not measured"),
    "all_why": ("这些图片全部如此", "all of these pictures"),
    "attributes": ("属性准确率", "attribute accuracy"),
    "recall": ("类目召回率（各类平均）", "category recall, mean of the classes"),
    "usable": ("文案可用率", "usable copy"),
    "valid": ("有效回答（符合字段结构）", "valid answers (they fit the schema)"),
    "seconds": ("单图耗时 P95", "time per picture, P95"),
    "fields": ("各属性", "Attributes"),
    "field": ("属性", "field"),
    "wholly": ("完全正确", "wholly right"),
    "f1": ("标签 F1", "F1 of its labels"),
    "classes": ("各类目", "Classes"),
    "class": ("类目", "class"),
    "class_recall": ("召回率", "recall"),
    "precision": ("精确率", "precision"),
    "taken": ("被认成", "taken for"),
    "texts": ("文案", "Copy"),
    "same": ("含义一致", "same meaning"),
    "contradictory": ("矛盾", "contradictory"),
    "claims": ("文案检查", "Checking the copy"),
    "reason": ("检查项", "what"),
    "places": ("处数", "findings"),
    "examples": ("例如", "such as"),
    "reason_forbidden": ("广告法用词", "word of the Advertising Law"),
    "reason_colour": ("颜色无依据", "colour that nothing states"),
    "reason_material": ("材质无依据", "material that nothing states"),
    "reason_property": ("特性无依据", "property that nothing states"),
    "reason_number": ("数字无依据", "number that nothing states"),
    "claims_how": (
        "按词表查找；依据是回答自己的属性、原表各列与金标各列。只提示人看，不是法律意见。",
        "Found by tables of words; what the answer's own attributes, the columns of its table or those of the gold "
        "table state is backed. A help to look, no legal advice.",
    ),
    "groups": ("分组", "By group"),
    "group": ("组", "group"),
    "pictures": ("图片", "pictures"),
    "failed": ("无回答", "without an answer"),
    "gallery": ("样例", "Examples"),
    "best": ("最好", "best"),
    "typical": ("一般", "typical"),
    "worst": ("最差", "worst"),
    "right": ("应为", "right"),
    "copy": ("文案", "copy"),
    "no_picture": ("图片已不在原处", "the picture is no longer where it was"),
    "rounds": ("各轮", "Rounds"),
    "run": ("运行", "run"),
    "model": ("模型", "model"),
    "whole": ("整图全对", "whole picture right"),
    "prompt": ("提示词", "prompt"),
    "fixed": ("修复", "fixed"),
    "broken": ("变差", "broken"),
    "unchanged": ("不变", "same"),
    "better": ("变好", "better"),
    "worse": ("变差", "worse"),
    "chance": ("可能是偶然", "may be chance"),
    "changed_prompt": ("提示词的变化", "what changed in the prompt"),
    "speed": ("速度与产能", "Speed and capacity"),
    "p50": ("单图耗时 P50", "time per picture, P50"),
    "waiting": ("（含互相等待）", ", waiting included"),
    "pace": ("整批速度（张/秒）", "pictures per second, whole run"),
    "per_hour": ("每小时张数", "pictures per hour"),
    "at_once": ("同时处理", "asked at once"),
    "tokens": ("每答平均 token 数", "tokens per answer, mean"),
    "where": ("运行设备与精度", "device and precision"),
    "figure": ("项目", "figure"),
    "value": ("数值", "value"),
    "savings": ("节省", "Savings"),
    "hand": ("人工每张（秒）", "by hand, seconds per picture"),
    "check": ("复核每张（秒）", "checking, seconds per picture"),
    "hourly": ("人工成本（每小时）", "labour cost per hour"),
    "volume": ("每月图片", "pictures per month"),
    "saved_hours": ("每月节省工时", "hours saved per month"),
    "saved_cost": ("每月节省成本", "cost saved per month"),
    "savings_how": (
        "每张都由人复核；不全对的图片按人工重做计；文案检查所指的处数与机器成本未计。人工数据由报告人给出，未经测量。",
        "A person checks every picture; one that is not wholly right is done again by hand. What the copy check points "
        "at and the machine's cost are not counted. The labour figures were stated by whoever made this report, not "
        "measured.",
    ),
    "no_savings": (
        "未给出人工耗时与成本（--hand-seconds、--hourly-cost），故不计算。",
        "Not computed: no labour time and cost were stated (--hand-seconds, --hourly-cost).",
    ),
    "limits": ("局限", "Limits"),
    "next": ("下一步", "Next steps"),
    "review": ("按把握从低到高复核", "Review the most doubtful first"),
    "review_x": ("已复核", "reviewed"),
    "review_y": ("正确的属性", "right fields"),
    "unreviewed": ("不复核时正确的属性", "right fields without review"),
    "contradicts": ("矛盾", "contradicts"),
    "by_doubt": ("按把握", "by doubt"),
    "at_random": ("随机", "in random order"),
    "made": ("生成于", "made"),
    "against": ("金标", "gold table"),
    "ai": (
        "报告中的回答与文案由人工智能生成，图片与金标除外。",
        "The answers and the copy shown here were generated by AI; pictures and gold table were not.",
    ),
    "interval": (
        "区间为 95%：份额用 Wilson，均值与分位数用自助法。区间宽于 20 个百分点或少于 16 张时写明图片太少。",
        "Intervals are 95 %: Wilson for shares, bootstrap for means and quantiles. Wider than 20 points, or fewer than "
        "16 pictures: too few to tell.",
    ),
}

_SENTENCES: dict[str, tuple[str, str]] = {
    "limit_sample": (
        "{num} 张图片只说明与它们相似的图片；区间不包含选图的偏差。",
        "{num} pictures speak for pictures like them; the intervals do not cover how they were chosen.",
    ),
    "limit_failed": ("{num} 张没有回答，按错误计。", "{num} pictures have no answer and count as wrong."),
    "limit_unjudged": (
        "运行中有 {num} 张不在金标里，未评。",
        "{num} pictures of the run are not in the gold table and were not judged.",
    ),
    "limit_gold": (
        "金标中有 {num} 张不在运行里。",
        "{num} pictures of the gold table are not in the run.",
    ),
    "limit_columns": (
        "未评的金标列：{names}。",
        "Columns of the gold table that no field answers: {names}.",
    ),
    "limit_groups": (
        "图片太少、不能单独下结论的组：{names}。",
        "Groups with too few pictures for a finding of their own: {names}.",
    ),
    "limit_text": (
        "“含义一致”由编码器和词表判定，不能代替人读；BLEU 只比字面。",
        "'Same meaning' is told by an encoder and tables of words and replaces no reader; BLEU compares wording only.",
    ),
    "limit_ratings": (
        "没有评分，文案可用率未知。",
        "Nobody rated the copy: how much of it is usable is unknown.",
    ),
    "limit_time": (
        "耗时在本次运行的机器上测得。",
        "Times were taken on the machine of this run.",
    ),
    "limit_waiting": (
        "单图耗时含 {num} 张同时处理的互相等待；一张单独要多久，用 --mode sequential 测。",
        "Times per picture hold the waiting of {num} asked at once; how long one takes alone, --mode sequential tells.",
    ),
    "summary": (
        "共 {num} 项目标：达到 {met} 项，未达到 {missed} 项，未定 {open} 项。",
        "{num} goals: {met} met, {missed} missed, {open} open.",
    ),
    "next_missed": ("先改进：{name}（要求 {goal}，结果 {value}）。", "First: {name} (goal {goal}, result {value})."),
    "next_open": (
        "{name} 未定：再标注到约 {num} 张，区间才窄到 ±5 个百分点。",
        "{name} is open: with about {num} pictures in the gold table its interval is within 5 points either way.",
    ),
    "next_open_rated": (
        "{name} 未定：再评约 {num} 张，区间才窄到 ±5 个百分点。",
        "{name} is open: with about {num} rated pictures its interval is within 5 points either way.",
    ),
    "next_sequential": (
        "单图耗时未定：用 batch --from {run} --mode sequential 另跑一轮再判。",
        "Time per picture is open: judge it on another run, batch --from {run} --mode sequential.",
    ),
    "next_claims": (
        "发布前核对文案：{num} 处（{pictures} 张）无依据或用词受限，例如 {example}。",
        "Before publishing look at {num} findings in the copy of {pictures} pictures, such as {example}.",
    ),
    "next_field": (
        "最弱的属性是 {name}（{value}）：看其错误样例，改提示词，再跑一轮并用 compare 对比。",
        "The weakest field is {name} ({value}): look at its errors, change the prompt, run another round and compare.",
    ),
    "next_rate": (
        "请同事在 /workbench 打分，得到文案可用率。",
        "Have colleagues rate the copy at /workbench, to learn how much of it is usable.",
    ),
    "next_go": (
        "目标均已达到：用新的、未用于调提示词的图片复核一次，再决定上线。",
        "All goals are met: confirm once on new pictures that no prompt was tuned on, then decide.",
    ),
    "review_reached": (
        "不复核时正确的属性已有 {value}，达到 {target}。",
        "Without any review {value} of the fields are right, which is {target} already.",
    ),
    "review_useless": (
        "在这些图片上，按把握排序未必优于随机抽查。",
        "On these pictures the order by doubt is not surely better than none.",
    ),
    "review_share": ("达到 {target} 需复核", "to review for {target}"),
    "review_random": ("随机抽查时需复核", "to review in random order"),
    "review_needed": (
        "按把握从低到高复核 {share} 的图片，正确的属性可达 {target}（95% 区间 {low} 到 {high}）。",
        "Reviewing the most doubtful {share} of the pictures brings {target} of the fields right "
        "(95 %: {low} to {high}).",
    ),
}


def word(key: str, language: Language) -> str:
    """A word or heading of the report."""
    return _WORDS[key][language == "en"]


def sentence(key: str, language: Language, **values: object) -> str:
    """A sentence with its values filled in."""
    return _SENTENCES[key][language == "en"].format(**values)
