"""Words that scenes compose their texts from: user interfaces, shops and charts, Chinese and English side by side.

Each entry is `zh|en`; entries stand apart by two spaces. Knows no picture and no question.
"""

# ruff: noqa: E501
from __future__ import annotations

from collections.abc import Iterator

from flashsight.demo.vocabulary import Term


def _terms(text: str) -> tuple[Term, ...]:
    return tuple(Term(*entry.strip().split("|")) for entry in text.replace("\n", "  ").split("  ") if entry.strip())


CONFIRM = _terms("""
确定|OK  确认|Confirm  保存|Save  提交|Submit  继续|Continue  下一步|Next  立即支付|Pay now  登录|Log in  注册|Sign up  重试|Retry
重新加载|Reload  立即更新|Update now  发送|Send  同意|Agree  允许|Allow  删除|Delete  开始|Start  完成|Done  应用|Apply  购买|Buy
立即购买|Buy now  加入购物车|Add to cart  重新连接|Reconnect  去设置|Open settings  我知道了|Got it  立即开通|Activate  上传|Upload
下载|Download  安装|Install  发布|Publish  申请退款|Request refund  联系客服|Contact support  重新登录|Log in again  领取|Claim
创建|Create  导入|Import  验证|Verify  绑定|Link  充值|Top up  结算|Check out  预约|Book  打印|Print  搜索|Search  升级|Upgrade
""")
CANCEL = _terms("""
取消|Cancel  关闭|Close  返回|Back  稍后|Later  忽略|Ignore  跳过|Skip  拒绝|Deny  不保存|Don't save  退出|Quit  以后再说|Not now
暂不|No thanks  查看详情|Details  帮助|Help  了解更多|Learn more  清空|Clear  重置|Reset  上一步|Previous  编辑|Edit  复制|Copy
分享|Share  收藏|Favorite  举报|Report  撤销|Undo  更多|More  反馈|Feedback  刷新|Refresh  全选|Select all  导出|Export  筛选|Filter
忘记密码|Forgot password  获取验证码|Get code  切换账号|Switch account  添加|Add  移除|Remove  预览|Preview  排序|Sort  扫一扫|Scan
""")
VERBS = _terms("""
查看|View  返回|Back to  打开|Open  选择|Choose  上传|Upload  下载|Download  保存|Save  删除|Delete  添加|Add  编辑|Edit  修改|Change  管理|Manage
分享|Share  发送|Send  设置|Set  更换|Replace  切换|Switch  搜索|Search  领取|Get  创建|Create  导出|Export  导入|Import  联系|Contact  申请|Request
加入|Join  取消|Cancel  继续|Continue  开通|Activate  绑定|Link  刷新|Refresh  重置|Reset  复制|Copy  立即|Start  完成|Finish  关闭|Close  清空|Clear
""")
ACTIONS = _terms("""
登录|Login  支付|Payment  上传|Upload  下载|Download  保存|Saving  提交|Submission  连接|Connection  安装|Installation  更新|Update
发送|Sending  注册|Registration  导入|Import  导出|Export  打印|Printing  验证|Verification  同步|Sync  扫描|Scan  退款|Refund  充值|Top-up
加载|Loading  备份|Backup  恢复|Restore  激活|Activation  绑定|Linking  提现|Withdrawal  预约|Booking  签到|Check-in  转账|Transfer
发布|Publishing  删除|Deletion  下单|Order  识别|Recognition  播放|Playback  查询|Query
""")
REASONS = _terms("""
网络连接超时|the network timed out  密码错误|wrong password  余额不足|insufficient balance  文件过大|the file is too large
验证码错误|wrong verification code  服务器无响应|the server does not respond  磁盘空间不足|not enough disk space  用户名不存在|unknown user name
账号已被锁定|the account is locked  权限不足|permission denied  会话已过期|the session has expired  文件格式不支持|unsupported file format
手机号格式不正确|invalid phone number  邮箱地址无效|invalid email address  请求过于频繁|too many requests  证书已过期|the certificate has expired
版本过低|the version is too old  库存不足|out of stock  优惠券已失效|the coupon has expired  地址不完整|the address is incomplete
银行卡已过期|the card has expired  设备未连接|no device connected  打印机缺纸|the printer is out of paper  电量过低|the battery is low
无法访问数据库|the database is unreachable  内存不足|out of memory  找不到文件|file not found  订单已取消|the order was cancelled
图片尺寸过大|the image is too large  端口被占用|the port is in use  签名验证失败|signature check failed  服务正在维护|the service is down for maintenance
蓝牙未开启|Bluetooth is off  定位服务已关闭|location is turned off  摄像头被占用|the camera is in use  登录状态失效|you are logged out
验证码已过期|the code has expired  超出每日限额|the daily limit is exceeded  名称已存在|the name already exists  域名无法解析|the domain cannot be resolved
""")
ADVICE = _terms("""
请重试|please try again  请重新输入|please enter it again  请稍后再试|please try again later  请检查后重试|please check and try again  请联系客服|please contact support
请检查网络|please check your network  请重新登录|please log in again  请更换文件|please choose another file  请充值后再试|please top up and try again
""")
NOTES = _terms("""
请检查网络设置后重试|Check your network and try again  请稍后再试|Please try again later  是否保存更改？|Save your changes?
此操作无法撤销|This cannot be undone  操作已成功完成|Completed successfully  您的设置已保存|Your settings were saved  请输入完整信息|Please fill in all fields
新版本已可用|A new version is available  确定要删除吗？|Delete this item?  文件已上传成功|The file was uploaded  请联系管理员|Contact your administrator
我们将发送验证码到您的手机|We will send a code to your phone  登录后可查看全部内容|Log in to see everything  系统将在今晚维护|Maintenance is planned tonight
共有三项待处理|Three items are waiting  支付完成后自动发货|Ships after payment  请勿关闭此页面|Do not close this page  清除后无法恢复|Cleared items are lost
预计需要五分钟|This takes about five minutes  重启后生效|Takes effect after a restart  是否允许访问相册？|Allow access to photos?  感谢您的使用|Thank you
""")
PAGES = _terms("""
系统设置|System settings  账户安全|Account security  个人中心|My profile  消息通知|Notifications  订单详情|Order details  购物车|Shopping cart
收货地址|Shipping address  支付方式|Payment method  隐私设置|Privacy  网络设置|Network  用户登录|User login  新用户注册|New account
修改密码|Change password  文件管理|Files  数据统计|Statistics  意见反馈|Feedback  关于我们|About us  帮助中心|Help center  我的收藏|Favorites
会员中心|Membership  存储空间|Storage  语言设置|Language  蓝牙设备|Bluetooth devices  显示与亮度|Display  通用设置|General  声音与振动|Sound
错误提示|Error  温馨提示|Notice  操作失败|Operation failed  系统提示|System message  删除确认|Confirm deletion  更新提示|Update available
连接失败|Connection failed  登录失败|Login failed  支付失败|Payment failed  上传失败|Upload failed  权限申请|Permission request
任务列表|Tasks  项目管理|Projects  考勤打卡|Attendance  报销申请|Expense claim  客户管理|Customers  库存管理|Inventory  日程安排|Schedule
活动报名|Event sign-up  问卷调查|Survey  设备管理|Devices  服务条款|Terms of service  退款申请|Refund request  发票信息|Invoice
""")
FIELDS = _terms("""
用户名|User name  密码|Password  手机号|Phone  邮箱|Email  验证码|Code  姓名|Name  地址|Address  公司|Company  昵称|Nickname  城市|City
身份证号|ID number  银行卡号|Card number  备注|Note  金额|Amount  日期|Date  部门|Department  邮编|Postcode  确认密码|Confirm password
""")
VALUES = [
    "zhangwei",
    "李明",
    "13800138000",
    "wang@mail.com",
    "482913",
    "北京市",
    "上海市浦东新区",
    "******",
    "王芳",
    "admin",
    "2026-05-18",
    "100000",
    "研发部",
    "user_01",
    "陈静",
    "广州",
    "test@163.com",
    "刘洋",
    "深圳市南山区",
    "15912345678",
    "杭州",
    "18600001234",
    "9527",
    "Alice",
    "2025-12-01",
    "Tom",
    "guest",
    "财务部",
    "成都",
    "6222",
    "0210",
    "jack@qq.com",
]
ROWS = _terms("""
无线网络|Wi-Fi  蓝牙|Bluetooth  飞行模式|Airplane mode  通知|Notifications  声音|Sound  显示|Display  电池|Battery  存储|Storage  隐私|Privacy
壁纸|Wallpaper  关于手机|About phone  语言|Language  时间和日期|Date and time  自动更新|Automatic updates  深色模式|Dark mode  字体大小|Font size
定位服务|Location  账号|Account  我的订单|My orders  我的优惠券|My coupons  历史记录|History  清除缓存|Clear cache  检查更新|Check for updates
退出登录|Log out  夜间模式|Night mode  数据备份|Backup  省电模式|Power saving  指纹解锁|Fingerprint  人脸识别|Face unlock  屏幕亮度|Brightness
消息免打扰|Do not disturb  移动数据|Mobile data  个人热点|Hotspot  键盘|Keyboard  打印机|Printers  待办事项|To-do  待付款|Unpaid  待发货|To ship
""")
TABS = _terms(
    "首页|Home  发现|Discover  消息|Messages  我的|Me  分类|Categories  购物车|Cart  动态|Feed  通讯录|Contacts  设置|Settings  搜索|Search"
)

FEATURES = _terms("""
轻便耐用|light and durable  防水|waterproof  大容量|large capacity  快速充电|fast charging  静音设计|quiet  环保材质|eco-friendly
易清洗|easy to clean  舒适透气|breathable  防滑耐磨|non-slip  续航持久|long battery life  高清画质|high definition  保温保冷|keeps hot and cold
一键操作|one-touch control  可折叠|foldable  多色可选|many colours  手工制作|handmade  加厚加固|reinforced  新鲜直达|fresh delivery
无糖低脂|low sugar and fat  纯天然|all natural  送礼佳品|a good gift  人体工学|ergonomic  智能控温|smart temperature  蓝牙连接|Bluetooth
抗皱免烫|wrinkle-free  柔软亲肤|soft on the skin  经典百搭|goes with everything  防摔抗震|shockproof  节能省电|energy saving  便携收纳|easy to carry
两年质保|two-year warranty  包邮|free shipping  七天无理由退货|seven-day returns  限时特惠|limited offer  食品级安全|food safe  免安装|no assembly
稳固承重|holds heavy loads  护眼柔光|soft on the eyes  降噪|noise cancelling  儿童适用|safe for children  速干|quick drying  四季通用|for all seasons
""")
BADGES = _terms("""
新品|NEW  热卖|HOT  包邮|FREE SHIPPING  特价|SALE  限时|LIMITED  爆款|BESTSELLER  推荐|PICK  自营|OFFICIAL  秒杀|FLASH SALE  满减|DEAL
五折|50% OFF  八折|20% OFF  正品|GENUINE  预售|PRE-ORDER  独家|EXCLUSIVE  清仓|CLEARANCE
""")
ADJECTIVES = _terms("""
经典|Classic  时尚|Stylish  简约|Simple  便携|Portable  高级|Premium  迷你|Mini  复古|Retro  智能|Smart  轻奢|Luxury  日常|Everyday
户外|Outdoor  商务|Business  家用|Home  春季|Spring  夏季|Summer  新款|New  优选|Select  专业|Pro  舒适|Comfort  精品|Fine
""")
TITLES = _terms("""
生活好物|Good things  品质之选|Quality choice  今日推荐|Pick of the day  人气单品|Popular item  店长推荐|Our favourite  本周热卖|Best of the week
新品上市|Just arrived  甄选好物|Selected goods  超值优选|Great value  每日精选|Daily selection  限量发售|Limited edition  设计师系列|Designer series
热销榜单|Top seller  品牌特惠|Brand offer  焕新季|Season update  会员专享|Members only
""")
SERIES = _terms("""
月度销售额|Monthly sales  各地区订单|Orders by region  访问量|Visits  用户增长|User growth  季度利润|Quarterly profit  产品销量|Product sales
市场份额|Market share  每日步数|Daily steps  考试成绩|Exam scores  用电量|Power use  降雨量|Rainfall  库存数量|Stock  支出构成|Spending
客户满意度|Satisfaction  广告点击|Ad clicks  门店客流|Shop visitors  平均气温|Mean temperature  班级人数|Class sizes  年度产量|Annual output
""")
LABELS = tuple(
    _terms(text)
    for text in (
        "一月|Jan  二月|Feb  三月|Mar  四月|Apr  五月|May  六月|Jun  七月|Jul  八月|Aug  九月|Sep  十月|Oct",
        "北京|Beijing  上海|Shanghai  广州|Guangzhou  深圳|Shenzhen  杭州|Hangzhou  成都|Chengdu  武汉|Wuhan  西安|Xi'an  南京|Nanjing",
        "周一|Mon  周二|Tue  周三|Wed  周四|Thu  周五|Fri  周六|Sat  周日|Sun",
        "华东|East  华北|North  华南|South  西南|West  华中|Central",
        "手机|Phone  电脑|Laptop  平板|Tablet  耳机|Earbuds  手表|Watch  相机|Camera  音箱|Speaker",
        "苹果|Apple  香蕉|Banana  橘子|Orange  葡萄|Grape  西瓜|Melon  桃子|Peach  草莓|Berry",
        "语文|Chinese  数学|Maths  英语|English  物理|Physics  化学|Chemistry  历史|History  生物|Biology",
        "餐饮|Food  交通|Travel  住房|Rent  购物|Shopping  娱乐|Fun  医疗|Health  教育|School",
    )
)

_GROUPS = (
    CONFIRM, CANCEL, VERBS, ACTIONS, REASONS, ADVICE, NOTES, PAGES, FIELDS, ROWS, TABS, FEATURES, BADGES, ADJECTIVES, TITLES, SERIES, *LABELS,
)  # fmt: skip


def all_words() -> Iterator[str]:
    """Every word, Chinese and English."""
    for group in _GROUPS:
        for term in group:
            yield term.zh
            yield term.en
    yield from VALUES
