// What the page itself says, in Vietnamese and English. Names, questions and examples are the label set's own.

const KEY = "tinyclf.language"; // the only thing this page ever stores

const TEXTS = {
  en: {
    title: "tinyclf playground",
    tagline: "What should the robot show? Type what a child says.",
    language: "Language",
    stage: "The robot",
    decision: "Decision",
    previous: "The robot said before",
    optional: "optional",
    utterance: "The child says",
    replyToggle: "Decide with the robot’s answer too",
    reply: "The robot’s answer",
    clear: "Clear",
    examples: "Try one of these",
    all: "Show all {count}",
    fewer: "Show in one line",
    such: "e.g. {text}",
    robotSaid: "Robot: {text}",
    robotAnswers: "Robot answers: {text}",
    same: "Just as the label set says: {labels}",
    other: "The label set says otherwise: {labels}",
    celebration: "Celebration!",
    asleep: "Fast asleep",
    awakening: "I wake up as soon as the service is back.",
    listening: "I am listening",
    invitation: "Type what a child says, or pick an example.",
    confidence: "Confidence",
    sure: "sure",
    unsure: "not sure",
    source: "Source",
    student: "the small model, on the CPU",
    teacher: "the LLM, asked because the student was unsure",
    default: "nothing there to decide on",
    degraded: "degraded: the LLM could not be asked",
    server: "In the service",
    serverHelp: "the decision alone",
    trip: "Round trip",
    tripHelp: "seen by this browser",
    probabilities: "Probabilities",
    hint: "Hint for the LLM that answers",
    several: "any of these",
    chosen: "chosen",
    none: "none",
    robotShows: "The robot shows: {names}",
    announce: "{labels}. Confidence {percent}, {sure}.",
    keyLabel: "This service needs a key",
    keyHelp: "It stays in this page’s memory and is gone when you close the page.",
    keyUse: "Use key",
    keyRefused: "The service refused this key. Check it and try again.",
    down: "The service does not answer.",
    downWay: "Start it with “python -m serve”. This page goes on by itself as soon as it is back.",
    slow: "The service takes too long to answer.",
    busy: "The service cannot answer just now: {detail}.",
    againWay: "This page tries again by itself.",
    refused: "The service refused this turn: {detail}.",
    refusedWay: "Change or shorten the text.",
    broken: "The service answered with status {status}: {detail}.",
    strange: "The answer does not come from a tinyclf service.",
    keyFocus: "write",
    keyWalk: "examples",
    keyDecide: "decide",
    keyClear: "clear",
    privacy: "Nothing you type is stored.",
    about: "Label set {name}, operating point {point}, bundle {bundle}.",
    api: "API reference",
  },
  vi: {
    title: "Sân chơi tinyclf",
    tagline: "Robot nên thể hiện thế nào? Hãy gõ một câu trẻ nói.",
    language: "Ngôn ngữ",
    stage: "Robot",
    decision: "Quyết định",
    previous: "Robot vừa nói trước đó",
    optional: "không bắt buộc",
    utterance: "Trẻ nói",
    replyToggle: "Xét thêm câu trả lời của robot",
    reply: "Câu trả lời của robot",
    clear: "Xoá",
    examples: "Thử một câu",
    all: "Xem cả {count} câu",
    fewer: "Thu về một hàng",
    such: "ví dụ: {text}",
    robotSaid: "Robot: {text}",
    robotAnswers: "Robot đáp: {text}",
    same: "Đúng như bộ nhãn ghi: {labels}",
    other: "Bộ nhãn ghi khác: {labels}",
    celebration: "Ăn mừng!",
    asleep: "Mình ngủ một lát",
    awakening: "Dịch vụ trở lại là mình dậy ngay.",
    listening: "Mình đang nghe",
    invitation: "Hãy gõ một câu trẻ nói, hoặc chọn một ví dụ.",
    confidence: "Độ tin cậy",
    sure: "chắc chắn",
    unsure: "chưa chắc",
    source: "Nguồn",
    student: "mô hình nhỏ, chạy trên CPU",
    teacher: "LLM, được hỏi vì mô hình nhỏ chưa chắc",
    default: "không có gì để quyết định",
    degraded: "giảm cấp: không hỏi được LLM",
    server: "Trong dịch vụ",
    serverHelp: "riêng quyết định",
    trip: "Cả vòng",
    tripHelp: "đo tại trình duyệt",
    probabilities: "Xác suất",
    hint: "Gợi ý cho LLM khi trả lời",
    several: "chọn được nhiều",
    chosen: "được chọn",
    none: "không có",
    robotShows: "Robot thể hiện: {names}",
    announce: "{labels}. Độ tin cậy {percent}, {sure}.",
    keyLabel: "Dịch vụ này cần khoá",
    keyHelp: "Khoá chỉ nằm trong bộ nhớ của trang và mất khi bạn đóng trang.",
    keyUse: "Dùng khoá",
    keyRefused: "Dịch vụ không nhận khoá này. Hãy kiểm tra rồi thử lại.",
    down: "Dịch vụ không trả lời.",
    downWay: "Hãy khởi động bằng “python -m serve”. Trang sẽ tự chạy tiếp ngay khi dịch vụ trở lại.",
    slow: "Dịch vụ trả lời quá lâu.",
    busy: "Dịch vụ chưa trả lời được: {detail}.",
    againWay: "Trang sẽ tự thử lại.",
    refused: "Dịch vụ không nhận lượt nói này: {detail}.",
    refusedWay: "Hãy sửa hoặc rút ngắn câu.",
    broken: "Dịch vụ trả về mã {status}: {detail}.",
    strange: "Câu trả lời không đến từ dịch vụ tinyclf.",
    keyFocus: "viết",
    keyWalk: "ví dụ",
    keyDecide: "quyết định",
    keyClear: "xoá",
    privacy: "Không lưu bất cứ điều gì bạn gõ.",
    about: "Bộ nhãn {name}, điểm vận hành {point}, gói {bundle}.",
    api: "Tài liệu API",
  },
};

let language = remembered() ?? (navigator.language.toLowerCase().startsWith("vi") ? "vi" : "en");

function remembered() {
  try {
    const found = localStorage.getItem(KEY);
    return Object.hasOwn(TEXTS, found) ? found : null;
  } catch {
    return null; // a browser may forbid storage
  }
}

/** The chosen language: ``vi`` or ``en``. */
export const chosenLanguage = () => language;

/** A text in the chosen language, its ``{names}`` filled. */
export const say = (name, values = {}) =>
  TEXTS[language][name].replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));

/** The sentence that a label set gives in several languages, in the chosen one or else in any. */
export const translated = (sentences) =>
  sentences ? (sentences[language] ?? sentences.en ?? Object.values(sentences)[0] ?? "") : "";

/** A number as people of the chosen language write it; ``options`` as of ``Intl.NumberFormat``. */
export const number = (value, options = {}) => new Intl.NumberFormat(language, options).format(value);

/** A share of 1 as percent with one digit. */
export const percent = (share) =>
  number(share, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A time with its unit: microseconds below one millisecond, else milliseconds. */
export const duration = (microseconds) =>
  microseconds < 1000
    ? `${number(microseconds, { maximumFractionDigits: 0 })} µs`
    : `${number(microseconds / 1000, { maximumFractionDigits: 1 })} ms`;

/** Chooses a language and remembers it; ``null`` only writes the page in the language that is chosen already. */
export function speak(wanted = null) {
  if (wanted) {
    language = wanted;
    try {
      localStorage.setItem(KEY, wanted);
    } catch {
      // then it is chosen anew next time
    }
  }
  document.documentElement.lang = language;
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.ariaLabel = say(element.dataset.label);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}
