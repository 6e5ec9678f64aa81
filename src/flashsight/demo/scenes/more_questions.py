"""More ways to ask, for training alone: validation asks as it always did, so that its rows stay comparable.

Each entry is `key: Chinese phrasings / … // English phrasings / …`, as in `questions`; `key@skill` is asked where the
facts are of that skill.
"""
# ruff: noqa: E501

from __future__ import annotations

TEXT = """
describe: 图片里有什么内容? / 帮我看看这是什么图 / 这是一张什么图片? / 详细描述这张图片 / 说说图里的内容 / 描述图中内容 / 这张截图里有什么? / 请总结这张图 / 图中有什么? / 描述一下 / 请用中文描述这张图片 / 请用一句话描述这张图片的内容 // Explain this image. / What's this picture about? / What's in this image? / Give a description of the picture. / Summarise this image. / What do you see here? / Caption this image. / Describe this screenshot. / What is this image of? / What's going on here? / Describe the picture in one sentence.
what@card: 这是什么商品? / 这是什么产品? / 图中商品是什么? / 图里的商品是什么? / 卖的是什么? / 图中卖的是什么东西? / 这款商品是什么? / 这个产品是什么? // What product is this? / Which product is shown? / What is being sold? / What is the product? / What is for sale here? / Which item is this?
what@icon: 这个图标是什么? / 这是什么图标? / 图标画的是什么? / 这个图标表示什么? / 图案是什么? / 画里是什么? / 这个表情是什么? // What icon is this? / What does this icon show? / What is this a drawing of? / What does the icon depict? / Which thing is drawn here?
what@photo: 照片里是什么? / 这张照片拍的是什么? / 照片上是什么东西? / 照片中的物体是什么? // What's in the photo? / What is this a photo of? / What does the photo show?
what@chart: 这是一张什么图? / 图中是什么图表? // What sort of picture is this? / What kind of figure is this?
category@card: 这款商品属于什么品类? / 商品属于哪一类? / 这个商品的分类是什么? / 应该归到哪个类目? // What product category is this? / Which product category does it fall into? / What is the category of this item?
colour: 主色是什么? / 是什么颜色的? / 颜色是哪种? / 请说出颜色 / 图中物体是什么颜色? / 图中的东西是什么颜色? // What's the color? / Tell me the colour. / Which colour is it? / What is its main color? / What colour is the object?
colour@card: 这款商品是什么颜色? / 图中商品是什么颜色? / 产品的颜色是什么? / 这件商品的主色是什么? // What colour is the product? / Which color is the item? / What is the product's color?
material: 由什么制成? / 什么材料的? / 标注的材质是什么? / 是用什么做的? // What's it made from? / Which material is it made of? / What is the stated material? / What's the material?
price: 现在卖多少钱? / 这款商品多少钱? / 图中的价格是多少? / 到手价多少? / 促销价是多少? / 单价是多少? / 什么价? / 这个商品的价格是多少? // How much does the product cost? / What's the current price? / What is the sale price? / How much do I pay? / Tell me the price. / What price is it?
old_price: 划掉的价格是多少? / 以前卖多少钱? / 原来的价格是多少? // What is the crossed-out price? / What's the original price? / What was the price before?
badge: 有什么促销? / 有什么优惠? / 促销信息是什么? / 有什么活动? / 标签上写着什么? / 优惠标签是什么? // What promotion is there? / Is there a special offer? / What offer is shown? / What does the tag say? / What is the promotion?
features: 卖点是什么? / 商品的卖点有哪些? / 有什么优点? / 主要卖点有哪些? / 宣传了哪些特点? / 有哪些功能特点? // What features are mentioned? / What makes it special? / List the selling points. / What are its highlights? / Which features are advertised?
json: 输出JSON / 用JSON格式给出商品的类别、颜色、材质、卖点和文案 / 请把这个商品整理成JSON / 结构化输出商品属性 // Output JSON. / Give me the product attributes in JSON format. / Return the product as structured JSON. / Turn this product card into JSON.
copy: 帮我写一句宣传语 / 写一句推广文案 / 给这个商品写个文案 // Write a slogan for this product. / Write an ad line for it. / Give me one line of advertising.
title: 图里的标题是什么? / 标题文字是什么? / 页面叫什么名字? / 这个窗口的标题是什么? / 对话框标题是什么? / 标题是哪几个字? / 最上面的标题写的是什么? // What's the heading? / What is written in the title? / What title is shown? / What does the heading say? / Read the heading. / What is the dialog's title?
title@card: 商品名称是什么? / 这个商品叫什么? / 商品名叫什么? / 产品名称是什么? // What is the product called? / What is the product's name? / What's the name of the item?
buttons: 都有哪些按钮? / 有几个按钮，分别是什么? / 界面上能点什么? / 列出界面上的按钮 / 按钮上写了什么? / 用户可以点哪些按钮? / 弹窗有哪些按钮? / 这里有哪些按钮? // List all buttons. / What are the available buttons? / What can the user click? / Name the buttons. / Which buttons do you see? / What do the buttons say? / What actions are available?
primary: 最显眼的按钮是哪个? / 推荐点哪个按钮? / 哪个是主操作? / 高亮的按钮是哪个? / 强调的按钮是哪个? / 主要操作是什么? // What is the primary action? / Which button is emphasised? / What is the call to action? / Which button is the main one? / What's the highlighted button?
disabled: 哪个按钮点不了? / 不能点击的按钮是哪个? / 置灰的按钮是哪个? / 有没有点不了的按钮? // Which button can't be pressed? / Which button is inactive? / Is there a disabled button? / Which one is not clickable?
error: 显示了什么错误? / 提示了什么错误? / 红色的提示写了什么? / 错误提示是什么? / 报错内容是什么? / 页面提示什么错误? / 有错误提示吗? / 出错信息是什么? // What error is displayed? / What is the error text? / What error do you see? / What does the red text say? / What's wrong according to the page? / What is the error? / Is any error shown?
problem: 用户遇到什么问题? / 为什么失败? / 失败原因是什么? / 问题出在哪里? / 发生了什么? / 为什么不能继续? // Why did it fail? / What is the reason for the failure? / What's the problem here? / What issue does the user have? / What happened?
fields: 有哪些输入项? / 表单要填什么? / 需要输入什么? / 有哪些要填写的字段? // What input fields are there? / Which fields can be filled in? / What information is requested? / What does the form ask for?
value: {x}的值是什么? / {x}填的是什么? / {x}输入了什么? // What has been entered in {x}? / What is in the {x} field? / What's the {x}?
rows: 列表中有什么? / 有哪些条目? / 有哪些菜单项? / 列表里都有什么? // What items are listed? / What entries are there? / What are the list items?
switch: {x}现在是开着的吗? / {x}开了没有? // Is {x} enabled? / Is {x} turned on?
tabs: 底部导航有哪些? / 底部有什么? // What tabs are at the bottom? / Which tabs do you see?
message: 提示信息是什么? / 正文写了什么? / 对话框里的说明是什么? / 弹窗的内容是什么? // What is the message text? / What does the dialog say? / What explanation is given?
has_button: 有没有{x}按钮? / 界面上有{x}吗? // Is there a button called {x}? / Can I click {x}?
count_buttons: 按钮有几个? / 总共有多少按钮? // How many buttons can you see? / Count the buttons.
kind: 这是什么样的页面? / 这个截图是什么页面? / 这属于哪种界面? // What screen is this? / What kind of page is this? / What type of dialog or page is it?
read: 写了什么字? / 图上写的什么? / 读一下图里的文字 / 请输出图片中的所有文字 / 文字识别 / 上面写了什么? / OCR识别 / 图片中写了什么内容? // OCR this image. / What's the text? / What text do you see? / Write down the text. / Please transcribe everything. / What is written in the image? / Read it out. / Give me all the text.
line: 第{x}行的文字是什么? / 读一下第{x}行 // What's on line {x}? / What is written on line {x}?
icons: 有哪些东西? / 图里都画了什么? / 分别是什么? / 列出所有图标 / 图里有几样东西，分别是什么? // What icons do you see? / What is shown in the picture? / List all the icons. / What are they?
count: 图里有几样东西? / 数一数有几个 // Count the icons. / How many objects are there?
left: 左侧是什么? / 左面的是什么? // What's on the left side? / Which thing is on the left?
right: 右侧是什么? / 右面的是什么? // What's on the right side? / Which thing is on the right?
has: 图中有{x}吗? / 有没有{x}? // Is there any {x}? / Can you see a {x}?
chart_kind: 这个图表是什么类型? / 是柱状图还是折线图? / 图表的种类是什么? // What type of graph is this? / Is it a bar chart or a line chart? / What sort of chart is this?
largest: 最大值是多少? / 哪一类最多? / 数值最高的是哪一项? / 哪一个最大? / 排名第一的是谁? / 哪个占比最高? / 谁最高? / 最多的是哪一项? / 哪个月最高? // Which category is the largest? / Who is first? / What's the highest? / Which bar is the tallest? / What is the top item? / Which one has the highest share? / Which has the most? / Which is the greatest?
smallest: 最小值是多少? / 哪一类最少? / 数值最低的是哪一项? / 哪一个最小? / 排在最后的是谁? / 哪个占比最低? / 谁最低? / 最少的是哪一项? / 哪个月最低? // Which category is the smallest? / Who is last? / What's the lowest? / Which bar is the shortest? / What is the bottom item? / Which one has the lowest share? / Which has the least? / Which is the minimum?
extremes: 最大和最小的分别是哪个? / 最高和最低各是谁? / 哪个最好，哪个最差? / 谁最多，谁最少? // Which is largest and which is smallest? / What are the highest and lowest? / Which one is best and which is worst?
value_of: {x}多少? / {x}的数据是多少? / {x}占多少? / {x}的数是多少? / 请读出{x}的值 / {x}是多大? // What's {x}? / What is {x}'s value? / Read the value of {x}. / What figure is shown for {x}? / How many for {x}? / Value of {x}? / What percentage is {x}?
values: 读出所有数据 / 各项数值分别是多少? / 列出图中的数据 / 每个的数值是多少? / 图中数据有哪些? / 把图表转成文字 // Read out the data. / What data does the chart show? / List every category with its value. / What are the numbers? / Extract the data. / Convert the chart to text.
labels: 有哪些分类? / 图例有哪些? / 有哪些项目? // What are the categories? / What labels are there? / Which items are compared?
chart_title: 图表标题是什么? / 这张图的标题是什么? / 图的标题写了什么? / 图表的主题是什么? // What's the chart's heading? / What does the chart title say? / What does the chart show?
trend: 走势如何? / 数据是怎么变化的? / 是增长还是下降? // How does it develop? / What does the trend look like? / Is it increasing or decreasing?
differ: 这两张图的差别是什么? / 有什么区别? / 哪里变了? / 第二张图改了什么? / 比较两张图片的不同 / 前后有什么变化? / 两张图片有何差异? / 指出两张图的不同之处 // What's different? / Tell me the differences. / How are the two pictures different? / What changed between the two images? / What changed from the first to the second? / Are there any differences? / Point out the difference.
same: 两张图是不是一样? / 它们相同吗? / 两张图片有没有差别? // Are they the same? / Are both images the same? / Do the two pictures match?
first: 第一张是什么? / 前一张图里有什么? // What's in the first image? / What does the first picture show?
second: 第二张是什么? / 后一张图里有什么? // What's in the second image? / What does the second picture show?
item_of: 数值为{x}的是哪一项? / 谁的数值是{x}? // Which category has {x}? / Which item shows {x}?
"""
