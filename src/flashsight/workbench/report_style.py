"""How a report looks on a screen and on paper. Knows no content."""

from __future__ import annotations

STYLE = """
:root{--ink:#16191d;--faint:#5a626b;--line:#d9dee3;--ground:#fff;--met:#157347;--missed:#a8261c;--open:#8a5a00}
*{box-sizing:border-box}
body{margin:0;background:#eef1f3;color:var(--ink);
font:15px/1.55 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{max-width:900px;margin:0 auto;padding:32px 40px;background:var(--ground)}
h1{font-size:28px;line-height:1.25;margin:0 0 8px}
h2{font-size:19px;margin:32px 0 10px;border-bottom:2px solid var(--ink);padding-bottom:4px}
h3{font-size:16px;margin:20px 0 8px}
.facts,.note,footer{color:var(--faint);font-size:13px}
.label{display:inline-block;border:1px solid var(--line);border-radius:4px;padding:2px 8px;font-size:13px;margin:0}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;vertical-align:top;padding:6px 10px 6px 0;border-bottom:1px solid var(--line)}
th,td{overflow-wrap:anywhere}
section{overflow-x:auto}
th{overflow-wrap:normal;font-weight:600;color:var(--faint)}
td.figure{font-variant-numeric:tabular-nums}
td,th{min-width:4.2em}
td:first-child,th:first-child{min-width:8.6em}
.goal{white-space:nowrap}
.summary{font-size:17px;font-weight:600;margin:4px 0 10px}
.verdicts td{padding:10px 12px 10px 0;font-size:15px}
.light{font-size:22px;line-height:1;vertical-align:-2px}
.met{color:var(--met)}.missed{color:var(--missed)}.open{color:var(--open)}
figure{margin:12px 0}
svg{max-width:100%;height:auto;display:block}
.row{display:grid;grid-template-columns:repeat(4,1fr);gap:14px}
.row figure{margin:0;border:1px solid var(--line);border-radius:6px;padding:8px;break-inside:avoid;font-size:12px}
.row img{display:block;width:100%;height:150px;object-fit:contain;background:#f5f7f8}
.row ul{list-style:none;margin:6px 0 0;padding:0}
.row li{overflow-wrap:anywhere}
.gone{height:150px;display:grid;place-items:center;background:#f5f7f8;color:var(--faint);margin:0;text-align:center}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f5f7f8;padding:10px;border-radius:6px;font-size:12.5px}
footer{margin-top:32px;border-top:1px solid var(--line);padding-top:8px;overflow-wrap:anywhere}
@media (max-width:640px){main{padding:20px 16px}.row{grid-template-columns:repeat(2,1fr)}}
@media print{
section{overflow:visible}
@page{size:A4;margin:16mm 14mm}
body{background:#fff;font-size:11pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
main{max-width:none;padding:0}
.front{break-after:page}
section:not(.front) table{font-size:9pt}
svg{max-width:86%;margin:0 auto}
h2,h3,h2+p,.note:has(+pre){break-after:avoid}
tr,figure,pre{break-inside:avoid}
footer{break-before:avoid}
}
"""
