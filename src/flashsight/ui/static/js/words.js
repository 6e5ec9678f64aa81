// Every sentence of the page in both languages, and the choice between them. Touches only [data-w] and [data-l] elements.

const WORDS = {
  zh: {
    "tool.fresh": "新对话", "tool.language": "Switch to English", "tool.light": "切换明暗", "tool.settings": "设置",
    "head.pictures": "图片", "head.question": "问题", "head.answer": "回答", "head.history": "这次对话",
    "drop.title": "拖入、粘贴或选择图片", "drop.limits": "JPG、PNG、WebP、GIF、BMP、HEIC", "drop.now": "松开即可放入",
    "question.first": "请描述这张图片的内容", "ask": "提问", "stop": "停止",
    "history.empty": "还没有问题。拖入一张图片，按提问。",
    "copy": "复制", "copied": "已复制", "retry": "重试", "code": "复制为 curl",
    "remove": "移除 {name}", "earlier": "移到前面 {name}", "picture.size": "{w}×{h} · {size}", "picture.number": "第 {n} 张",
    "set.temperature": "温度（0 为确定的回答）", "set.length": "最长回答（词元）", "set.thinking": "先思考再回答",
    "set.key": "API 密钥（仅当服务要求）", "set.close": "好", "set.forget": "清除本机保存的内容",
    "status.connecting": "正在连接…", "status.ready": "{model} · {device} · 就绪", "status.loading": "正在加载模型：{phase}，{seconds} 秒",
    "status.gone": "服务不在线，正在重连；草稿已保留",
    "phase.reading": "正在读取图片…", "phase.asking": "已发送，等待第一个词… {seconds} 秒", "phase.streaming": "正在回答",
    "phase.stopped": "已停止", "phase.length": "到达最长回答，已截断", "phase.first": "首词 {ms} 毫秒", "phase.rate": "{rate} 词元/秒",
    "phase.queued": "排队 {ms}", "phase.decode": "解码 {ms}", "phase.encode": "编码 {ms}", "phase.prefill": "预填 {ms}",
    "phase.cached": "图片已缓存", "phase.tokens": "{prompt} + {answer} 词元",
    "reasoning": "思考过程（{n} 字）", "empty.question": "先写一个问题。",
    "error.unreadable_file": "这个文件读不出图片：{name}",
    "error.gone": "连接中断，已收到的内容保留在上面。", "error.key": "这个服务要求 API 密钥：请在设置里填写。",
    "error.loading": "模型还在加载，请稍候再问。", "error.busy": "现在太忙，{seconds} 秒后再试。",
    "error.picture": "这张图片无法使用", "error.long": "内容太长", "error.request": "请求有误", "error.other": "出错了",
  },
  en: {
    "tool.fresh": "New chat", "tool.language": "切换到中文", "tool.light": "Light or dark", "tool.settings": "Settings",
    "head.pictures": "Pictures", "head.question": "Question", "head.answer": "Answer", "head.history": "This conversation",
    "drop.title": "Drop, paste or choose pictures", "drop.limits": "JPG, PNG, WebP, GIF, BMP, HEIC", "drop.now": "Let go to add",
    "question.first": "Describe what is in this picture", "ask": "Ask", "stop": "Stop",
    "history.empty": "No question yet. Drop a picture and press Ask.",
    "copy": "Copy", "copied": "Copied", "retry": "Retry", "code": "Copy as curl",
    "remove": "Remove {name}", "earlier": "Move {name} to the front", "picture.size": "{w}×{h} · {size}", "picture.number": "Picture {n}",
    "set.temperature": "Temperature (0: always the same answer)", "set.length": "Longest answer (tokens)", "set.thinking": "Think before answering",
    "set.key": "API key (only if the server asks)", "set.close": "Done", "set.forget": "Forget what this browser keeps",
    "status.connecting": "Connecting…", "status.ready": "{model} · {device} · ready", "status.loading": "Loading the model: {phase}, {seconds} s",
    "status.gone": "Server gone, reconnecting; your draft is kept",
    "phase.reading": "Reading the pictures…", "phase.asking": "Sent, waiting for the first token… {seconds} s", "phase.streaming": "Answering",
    "phase.stopped": "Stopped", "phase.length": "Longest answer reached, cut here", "phase.first": "first token {ms} ms", "phase.rate": "{rate} tokens/s",
    "phase.queued": "queued {ms}", "phase.decode": "decode {ms}", "phase.encode": "encode {ms}", "phase.prefill": "prefill {ms}",
    "phase.cached": "picture cached", "phase.tokens": "{prompt} + {answer} tokens",
    "reasoning": "Thinking ({n} characters)", "empty.question": "Write a question first.",
    "error.unreadable_file": "No picture could be read from {name}",
    "error.gone": "The connection broke; what had arrived is kept above.", "error.key": "This server asks for an API key: enter it in the settings.",
    "error.loading": "The model is still loading; ask again in a moment.", "error.busy": "Too busy now; try again in {seconds} s.",
    "error.picture": "This picture cannot be used", "error.long": "Too long", "error.request": "The request is at fault", "error.other": "Something failed",
  },
};

let language = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");

export const currentLanguage = () => language;

/** The sentence `name` in the chosen language, {placeholders} filled from values. */
export function words(name, values = {}) {
  return WORDS[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Writes every fixed sentence of the document; the filled-in question follows only while nobody has edited it. */
export function applyLanguage(next = language) {
  const question = document.getElementById("question");
  const untouched = Object.values(WORDS).some((table) => table["question.first"] === question.value);
  language = next;
  localStorage.setItem("language", next);
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-w]")) {
    if (element.dataset.w in WORDS[next]) element.textContent = words(element.dataset.w);
  }
  for (const element of document.querySelectorAll("[data-l]")) {
    element.setAttribute("aria-label", words(element.dataset.l));
    element.title = words(element.dataset.l);
  }
  document.getElementById("language").textContent = next === "zh" ? "EN" : "中";
  if (untouched) question.value = words("question.first");
}
