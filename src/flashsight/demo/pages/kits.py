"""The markup of public UI kits: how each writes a button, a field, an error, a panel. Knows no layout and no text.

Only their style sheets are used, with static markup. `{t}` stands for the attribute that marks a text, `{x}` for the
text itself, `{c}` for classes that say the state.
"""

# ruff: noqa: E501
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flashsight.demo.sample import Split

NO_ACCENT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A UI kit: its style sheets as `package/path` below the unpacked packages, and its pieces of markup.

    primary, plain: classes of buttons, one chosen per page; `switch` holds the markup off and on; accent is the number
    of its own accent colour in COLOURS, and `recolour` the rules that give it another one.
    """

    name: str
    split: Split
    sheets: tuple[str, ...]
    dark_sheets: tuple[str, ...] = ()
    dark: str = ""
    button: str
    primary: tuple[str, ...]
    plain: tuple[str, ...]
    disabled: str = ""
    field: str
    error: tuple[str, ...]
    toast: str
    switch: tuple[str, str]
    panel: str
    card: str
    accent: int
    recolour: str = ""
    is_further: bool = False
    """Pages of validation in other layouts keep to the other kits of training, so that their row stays comparable."""


_BOX = '<label class="s-label" data-t="{t}">{x}</label>'
_OWN_SWITCH = ('<i class="s-switch"></i>', '<i class="s-switch s-on"></i>')

ELEMENT = Kit(
    name="element-plus",
    split="train",
    sheets=("element-plus/package/dist/index.css",),
    dark_sheets=("element-plus/package/theme-chalk/dark/css-vars.css",),
    dark="dark",
    button='<button type="button" class="el-button {c}" {d} data-t="{t}"><span>{x}</span></button>',
    primary=(
        "el-button--primary",
        "el-button--primary el-button--large",
        "el-button--primary is-round",
        "el-button--danger",
    ),
    plain=("", "el-button--large", "is-text", "el-button--info is-plain", "is-round"),
    disabled="is-disabled",
    field='<div class="s-field">{label}<div class="el-input"><div class="el-input__wrapper"><div class="el-input__inner s-in" {v}</div></div></div></div>',
    error=(
        '<div class="el-alert el-alert--error is-light"><div class="el-alert__content"><span class="el-alert__title" data-t="{t}">{x}</span></div></div>',
        '<div class="el-alert el-alert--error is-dark"><div class="el-alert__content"><span class="el-alert__title" data-t="{t}">{x}</span></div></div>',
        '<div class="el-form-item__error s-static" data-t="{t}">{x}</div>',
    ),
    toast='<div class="el-message el-message--error s-toast"><p class="el-message__content" data-t="{t}">{x}</p></div>',
    switch=(
        '<div class="el-switch"><span class="el-switch__core"><div class="el-switch__action"></div></span></div>',
        '<div class="el-switch is-checked"><span class="el-switch__core"><div class="el-switch__action"></div></span></div>',
    ),
    panel='<div class="el-dialog s-panel"><header class="el-dialog__header">{head}</header><div class="el-dialog__body">{body}</div><footer class="el-dialog__footer">{foot}</footer></div>',
    card='<div class="el-card is-always-shadow"><div class="el-card__header">{head}</div><div class="el-card__body">{body}</div></div>',
    accent=5,
    recolour=":root,html.dark{{--el-color-primary:{a};--el-color-primary-light-3:{a};--el-color-primary-light-5:{l}}}",
)

BOOTSTRAP = Kit(
    name="bootstrap",
    split="train",
    sheets=("bootstrap/package/dist/css/bootstrap.min.css",),
    dark='data-bs-theme="dark"',
    button='<button type="button" class="btn {c}" {d} data-t="{t}">{x}</button>',
    primary=("btn-primary", "btn-primary btn-lg", "btn-success", "btn-danger", "btn-primary rounded-pill"),
    plain=("btn-outline-secondary", "btn-secondary", "btn-light border", "btn-link", "btn-outline-primary"),
    field='<div class="mb-2 s-field">{label}<div class="form-control s-in" {v}</div></div>',
    error=(
        '<div class="alert alert-danger py-2 mb-2" data-t="{t}">{x}</div>',
        '<div class="invalid-feedback d-block" data-t="{t}">{x}</div>',
        '<p class="text-danger mb-2" data-t="{t}">{x}</p>',
    ),
    toast='<div class="toast show text-bg-danger s-toast"><div class="toast-body" data-t="{t}">{x}</div></div>',
    switch=(
        '<div class="form-check form-switch m-0"><input class="form-check-input" type="checkbox"></div>',
        '<div class="form-check form-switch m-0"><input class="form-check-input" type="checkbox" checked></div>',
    ),
    panel='<div class="modal-content s-panel" style="background:var(--ground)"><div class="modal-header">{head}</div><div class="modal-body">{body}</div><div class="modal-footer">{foot}</div></div>',
    card='<div class="card shadow-sm"><div class="card-header">{head}</div><div class="card-body">{body}</div></div>',
    accent=5,
    recolour=".btn-primary{{--bs-btn-bg:{a};--bs-btn-border-color:{a};--bs-btn-disabled-bg:{a};--bs-btn-disabled-border-color:{a}}}.form-check-input:checked{{background-color:{a};border-color:{a}}}.btn-outline-primary{{--bs-btn-color:{a};--bs-btn-border-color:{a}}}",
)

ANT = Kit(
    name="antd",
    split="train",
    sheets=("antd/package/dist/antd.variable.min.css",),
    dark_sheets=("antd/package/dist/antd.dark.min.css",),
    dark="dark",
    button='<button type="button" class="ant-btn {c}" {d} data-t="{t}"><span>{x}</span></button>',
    primary=(
        "ant-btn-primary",
        "ant-btn-primary ant-btn-lg",
        "ant-btn-primary ant-btn-round",
        "ant-btn-primary ant-btn-dangerous",
    ),
    plain=("ant-btn-default", "ant-btn-default ant-btn-lg", "ant-btn-dashed", "ant-btn-text"),
    field='<div class="s-field">{label}<div class="ant-input s-in" {v}</div></div>',
    error=(
        '<div class="ant-alert ant-alert-error"><div class="ant-alert-content"><div class="ant-alert-message" data-t="{t}">{x}</div></div></div>',
        '<div class="ant-form-item-explain-error" data-t="{t}">{x}</div>',
        '<div class="ant-typography ant-typography-danger" data-t="{t}">{x}</div>',
    ),
    toast='<div class="s-toast"><div class="ant-message-notice-content"><span data-t="{t}">{x}</span></div></div>',
    switch=(
        '<button type="button" class="ant-switch"><div class="ant-switch-handle"></div><span class="ant-switch-inner"></span></button>',
        '<button type="button" class="ant-switch ant-switch-checked"><div class="ant-switch-handle"></div><span class="ant-switch-inner"></span></button>',
    ),
    panel='<div class="ant-modal-content s-panel"><div class="ant-modal-header">{head}</div><div class="ant-modal-body">{body}</div><div class="ant-modal-footer">{foot}</div></div>',
    card='<div class="ant-card ant-card-bordered"><div class="ant-card-head">{head}</div><div class="ant-card-body">{body}</div></div>',
    accent=5,
    recolour=":root{{--ant-primary-color:{a};--ant-primary-color-hover:{a}}}.ant-switch-checked,.ant-btn-primary:not([disabled]):not(.ant-btn-dangerous){{background:{a}!important;border-color:{a}!important}}",
)

VANT = Kit(
    name="vant",
    split="train",
    sheets=("vant/package/lib/index.css",),
    dark='class="van-theme-dark"',
    button='<button type="button" class="van-button van-button--normal {c}" {d} data-t="{t}"><div class="van-button__content"><span class="van-button__text">{x}</span></div></button>',
    primary=(
        "van-button--primary",
        "van-button--primary van-button--round",
        "van-button--danger",
        "van-button--success",
    ),
    plain=(
        "van-button--default",
        "van-button--default van-button--plain van-button--round",
        "van-button--default van-button--square",
    ),
    disabled="van-button--disabled",
    field='<div class="van-cell van-field s-field">{label}<div class="van-field__control s-in" {v}</div></div>',
    error=(
        '<div class="van-notice-bar" style="color:#ee0a24;background:#fde8ea" data-t="{t}">{x}</div>',
        '<div class="van-field__error-message" style="font-size:14px" data-t="{t}">{x}</div>',
    ),
    toast='<div class="van-toast van-toast--text s-toast"><div class="van-toast__text" data-t="{t}">{x}</div></div>',
    switch=(
        '<div class="van-switch"><div class="van-switch__node"></div></div>',
        '<div class="van-switch van-switch--on"><div class="van-switch__node"></div></div>',
    ),
    panel='<div class="s-panel" style="background:var(--van-background-2);border-radius:16px;padding:20px">{head}<div>{body}</div><div>{foot}</div></div>',
    card='<div class="van-cell-group van-cell-group--inset" style="padding:12px">{head}{body}</div>',
    accent=5,
    recolour=":root{{--van-primary-color:{a};--van-blue:{a};--van-button-primary-background:{a};--van-button-primary-border-color:{a};--van-switch-on-background:{a}}}",
)

BULMA = Kit(
    name="bulma",
    split="train",
    sheets=("bulma/package/css/bulma.min.css",),
    dark='data-theme="dark"',
    button='<button type="button" class="button {c}" {d} data-t="{t}">{x}</button>',
    primary=("is-link", "is-primary", "is-success", "is-danger", "is-link is-rounded"),
    plain=("", "is-outlined", "is-white", "is-rounded", "is-dark is-outlined"),
    field='<div class="field s-field">{label}<div class="input s-in" {v}</div></div>',
    error=(
        '<div class="notification is-danger py-2 px-3 mb-2" data-t="{t}">{x}</div>',
        '<div class="notification is-danger is-light py-2 px-3 mb-2" data-t="{t}">{x}</div>',
        '<p class="help is-danger is-size-6" data-t="{t}">{x}</p>',
        '<article class="message is-danger mb-2"><div class="message-body py-2" data-t="{t}">{x}</div></article>',
    ),
    toast='<div class="notification is-danger s-toast" data-t="{t}">{x}</div>',
    switch=_OWN_SWITCH,
    panel='<div class="modal-card s-panel"><header class="modal-card-head">{head}</header><section class="modal-card-body">{body}</section><footer class="modal-card-foot">{foot}</footer></div>',
    card='<div class="card"><div class="card-content">{head}<div class="content">{body}</div></div></div>',
    accent=NO_ACCENT,
)

OWN = Kit(
    name="own",
    split="train",
    sheets=(),
    dark="dark",
    button='<button type="button" class="o-button {c}" {d} data-t="{t}">{x}</button>',
    primary=("o-primary", "o-primary o-wide", "o-primary o-pill", "o-primary o-caps"),
    plain=("o-line", "o-grey", "o-bare", "o-tint", "o-line o-pill"),
    field='<div class="s-field">{label}<div class="o-input s-in" {v}</div></div>',
    error=(
        '<div class="o-error" data-t="{t}">{x}</div>',
        '<div class="o-error o-strip" data-t="{t}">{x}</div>',
        '<div class="o-error o-full" data-t="{t}">{x}</div>',
        '<div class="o-error o-side" data-t="{t}">{x}</div>',
    ),
    toast='<div class="o-toast s-toast" data-t="{t}">{x}</div>',
    switch=_OWN_SWITCH,
    panel='<div class="o-card s-panel">{head}<div>{body}</div><div>{foot}</div></div>',
    card='<div class="o-card">{head}{body}</div>',
    accent=NO_ACCENT,
)

UIKIT = Kit(
    name="uikit",
    split="train",
    is_further=True,
    sheets=("uikit/package/dist/css/uikit.min.css",),
    dark='class="uk-light"',
    button='<button type="button" class="uk-button {c}" {d} style="text-transform:none" data-t="{t}">{x}</button>',
    primary=("uk-button-primary", "uk-button-primary uk-button-large", "uk-button-danger", "uk-button-secondary"),
    plain=("uk-button-default", "uk-button-default uk-button-large", "uk-button-text", "uk-button-link"),
    field='<div class="s-field">{label}<div class="uk-input s-in" {v}</div></div>',
    error=(
        '<div class="uk-alert uk-alert-danger" style="padding:10px 14px;margin:0 0 10px" data-t="{t}">{x}</div>',
        '<div class="uk-text-danger" style="margin-bottom:10px" data-t="{t}">{x}</div>',
        '<div class="uk-text-danger uk-text-bold" style="margin-bottom:10px;border-left:3px solid;padding-left:10px" data-t="{t}">{x}</div>',
    ),
    toast='<div class="uk-notification-message uk-notification-message-danger s-toast" style="padding:12px 16px;background:#f8f8f8" data-t="{t}">{x}</div>',
    switch=_OWN_SWITCH,
    panel='<div class="uk-modal-dialog s-panel" style="background:var(--ground);opacity:1;transform:none"><div class="uk-modal-header" style="padding:12px 20px;background:none">{head}</div><div class="uk-modal-body" style="padding:16px 20px">{body}</div><div class="uk-modal-footer" style="padding:12px 20px;background:none">{foot}</div></div>',
    card='<div class="uk-card uk-card-default uk-card-body" style="padding:18px;background:var(--ground)">{head}{body}</div>',
    accent=5,
    recolour=".uk-button-primary{{background-color:{a}!important}}",
)

LAYUI = Kit(
    name="layui",
    split="train",
    is_further=True,
    sheets=("layui/package/dist/css/layui.css",),
    button='<button type="button" class="layui-btn {c}" {d} data-t="{t}">{x}</button>',
    primary=("", "layui-btn-lg", "layui-btn-normal", "layui-btn-danger", "layui-btn-radius", "layui-bg-blue"),
    plain=(
        "layui-btn-primary",
        "layui-btn-primary layui-btn-radius",
        "layui-btn-primary layui-border-blue",
        "layui-btn-primary layui-btn-lg",
    ),
    disabled="layui-btn-disabled",
    field='<div class="s-field">{label}<div class="layui-input s-in" style="line-height:36px;background:var(--sunk);color:var(--ink);padding-right:10px" {v}</div></div>',
    error=(
        '<blockquote class="layui-elem-quote" style="padding:10px;margin:0 0 10px;border-left-color:#ff5722;background:var(--grey);color:#ff5722" data-t="{t}">{x}</blockquote>',
        '<div class="layui-font-red" style="margin-bottom:10px;font-size:15px" data-t="{t}">{x}</div>',
        '<div class="layui-bg-red" style="margin-bottom:10px;padding:8px 12px;border-radius:2px" data-t="{t}">{x}</div>',
    ),
    toast='<div class="s-toast" style="background:rgba(0,0,0,.78);color:#fff;border-radius:2px;padding:12px 22px" data-t="{t}">{x}</div>',
    switch=(
        '<div class="layui-form-switch" style="margin:0;background:var(--off)"><i></i></div>',
        '<div class="layui-form-switch layui-form-onswitch" style="margin:0"><i></i></div>',
    ),
    panel='<div class="layui-panel s-panel" style="background:var(--ground);color:var(--ink)"><div style="padding:10px 16px;border-bottom:1px solid var(--line)">{head}</div><div style="padding:16px">{body}</div><div style="padding:0 16px 14px">{foot}</div></div>',
    card='<div class="layui-card" style="background:var(--ground);color:var(--ink);border:1px solid var(--line)"><div class="layui-card-header" style="height:auto">{head}</div><div class="layui-card-body">{body}</div></div>',
    accent=NO_ACCENT,
)

ARCO = Kit(
    name="arco",
    split="train",
    is_further=True,
    sheets=("web-vue/package/dist/arco.min.css",),
    dark='arco-theme="dark"',
    button='<button type="button" class="arco-btn arco-btn-size-medium arco-btn-status-normal {c}" {d} data-t="{t}">{x}</button>',
    primary=(
        "arco-btn-primary arco-btn-shape-square",
        "arco-btn-primary arco-btn-shape-round",
        "arco-btn-primary arco-btn-shape-square arco-btn-size-large",
    ),
    plain=(
        "arco-btn-secondary arco-btn-shape-square",
        "arco-btn-outline arco-btn-shape-square",
        "arco-btn-text arco-btn-shape-square",
        "arco-btn-dashed arco-btn-shape-round",
        "arco-btn-secondary arco-btn-shape-round arco-btn-size-large",
    ),
    disabled="arco-btn-disabled",
    field='<div class="s-field">{label}<div class="arco-input-wrapper arco-input-size-large"><div class="arco-input s-in" {v}</div></div></div>',
    error=(
        '<div class="arco-alert arco-alert-error" style="margin-bottom:10px"><div class="arco-alert-body"><div class="arco-alert-content" data-t="{t}">{x}</div></div></div>',
        '<div class="arco-form-item-message" style="margin-bottom:10px;font-size:14px" data-t="{t}">{x}</div>',
    ),
    toast='<div class="arco-message arco-message-error s-toast"><span class="arco-message-content" data-t="{t}">{x}</span></div>',
    switch=(
        '<button type="button" class="arco-switch arco-switch-type-circle"><span class="arco-switch-handle"></span></button>',
        '<button type="button" class="arco-switch arco-switch-type-circle arco-switch-checked"><span class="arco-switch-handle"></span></button>',
    ),
    panel='<div class="arco-modal s-panel"><div class="arco-modal-header" style="height:auto;padding:12px 20px">{head}</div><div class="arco-modal-body">{body}</div><div class="arco-modal-footer" style="text-align:left">{foot}</div></div>',
    card='<div class="arco-card arco-card-bordered"><div class="arco-card-header" style="height:auto;padding:12px 16px">{head}</div><div class="arco-card-body">{body}</div></div>',
    accent=5,
    recolour=".arco-btn-primary:not(.arco-btn-disabled),.arco-switch-checked{{background-color:{a}!important}}.arco-btn-outline,.arco-btn-text{{color:{a}!important}}",
)

PICO = Kit(
    name="pico",
    split="train",
    is_further=True,
    sheets=("pico/package/css/pico.min.css",),
    dark='data-theme="dark"',
    button='<button type="button" class="{c}" {d} data-t="{t}">{x}</button>',
    primary=("", "contrast"),
    plain=("secondary outline", "outline", "secondary"),
    field='<div class="s-field">{label}<div class="s-in" style="border:1px solid var(--line);border-radius:4px;padding:8px 12px" {v}</div></div>',
    error=(
        '<small style="color:#c62828;display:block;margin-bottom:10px;font-size:15px" data-t="{t}">{x}</small>',
        '<article style="background:#fde7e7;color:#a01b1b;padding:10px 14px;margin:0 0 10px" data-t="{t}">{x}</article>',
    ),
    toast='<article class="s-toast" style="background:#fde7e7;color:#a01b1b;padding:10px 16px;margin:0" data-t="{t}">{x}</article>',
    switch=(
        '<input type="checkbox" role="switch" style="margin:0">',
        '<input type="checkbox" role="switch" style="margin:0" checked>',
    ),
    panel='<article class="s-panel" style="background:var(--ground)"><header style="background:none">{head}</header>{body}<footer style="background:none">{foot}</footer></article>',
    card='<article style="background:var(--ground);margin:0 0 12px">{head}{body}</article>',
    accent=5,
    recolour="button:not(.secondary):not(.outline):not(.contrast){{background-color:{a}!important;border-color:{a}!important}}",
)

WEUI = Kit(
    name="weui",
    split="valid",
    sheets=("weui/package/dist/style/weui.min.css",),
    dark='data-weui-theme="dark"',
    button='<a role="button" class="weui-btn {c}" data-t="{t}">{x}</a>',
    primary=("weui-btn_primary", "weui-btn_warn"),
    plain=("weui-btn_default",),
    disabled="weui-btn_disabled",
    field='<label class="weui-cell s-field">{label}<div class="weui-cell__bd"><div class="weui-input s-in" {v}</div></div></label>',
    error=(
        '<div class="weui-cells__tips" style="color:#fa5151;font-size:16px;padding:0" data-t="{t}">{x}</div>',
        '<div class="weui-toptips weui-toptips_warn s-static" style="display:block" data-t="{t}">{x}</div>',
    ),
    toast='<div class="weui-toptips weui-toptips_warn s-toast" style="display:block" data-t="{t}">{x}</div>',
    switch=('<input class="weui-switch" type="checkbox">', '<input class="weui-switch" type="checkbox" checked>'),
    panel='<div class="weui-dialog s-panel" style="position:static;transform:none;padding:20px"><div class="weui-dialog__hd" style="padding:8px">{head}</div><div class="weui-dialog__bd">{body}</div><div>{foot}</div></div>',
    card='<div class="weui-panel" style="padding:14px">{head}{body}</div>',
    accent=3,
)

_ALL = (ELEMENT, BOOTSTRAP, ANT, VANT, BULMA, OWN, UIKIT, LAYUI, ARCO, PICO, WEUI)
KITS: Mapping[str, Kit] = MappingProxyType({kit.name: kit for kit in _ALL})
"""Every kit by its name; `weui` is for validation only."""
