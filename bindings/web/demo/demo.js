// The page: takes a picture, has it scanned, and shows what came of it. Nothing is
// fetched after loading; the counter at the foot would say so.

import { Scanner } from "./presend/presend.js";

const at = (id) => document.getElementById(id);

const MEANINGS = {
  allow: "The messenger would encrypt it and send it.",
  warn: "The messenger would tell the person, and send it unless they turn back.",
  ask: "The messenger would send it only if the person confirms.",
  block: "The messenger would not send it, and would show the person why.",
};

/** The stages in the order in which they run; recognising the format is a part of decoding. */
const STAGES = [
  ["Digests", ({ digest }) => digest],
  ["Decoding", ({ sniff, decode }) => sniff + decode],
  ["Hash", ({ hash }) => hash],
  ["Views", ({ views }) => views],
  ["Look-up", ({ lookup }) => lookup],
  ["Classifier", ({ classify }) => classify],
  ["Policy", ({ policy }) => policy],
];

let scanner;
let testPicture;
/** The labels that the policy has a rule for, and the score from which on it warns. */
let warnings;
let latest = 0;

async function load() {
  const [policy, picture] = await Promise.all([
    fetch("data/policy.toml").then((response) => response.text()),
    fetch("data/test-picture.png").then((response) => response.blob()),
  ]);
  testPicture = picture;
  warnings = new Map([...policy.matchAll(/^\[label\.(\w+)\]\s+warn = ([\d.]+)/gm)].map(([, label, at]) => [label, Number(at)]));
  scanner = await Scanner.open({
    policy,
    lists: ["data/demo.presend"],
    models: [{ description: "data/model.toml", onnx: "data/model.onnx", golden: "data/golden.png" }],
    worker: startWorker,
  });
  count();
  at("file").disabled = at("test-picture").disabled = false;
  at("state").textContent = "Ready.";
  document.documentElement.dataset.loaded = "";
}

/**
 * A Worker has the policy that its script came with, and a plain file server sends
 * none; one from a blob: URL inherits the page's.
 */
function startWorker() {
  const script = JSON.stringify(new URL("counted-worker.js", import.meta.url));
  const url = URL.createObjectURL(new Blob([`import ${script};`], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  worker.addEventListener("message", ({ data: { requests = 0 } }) => add(requests));
  return worker;
}

let requests = 0;

function add(more) {
  at("requests").value = String((requests += more));
}

/** Counts what the page asks of the network from now on; its Worker counts for itself. */
function count() {
  const outside = ({ name }) => !name.startsWith("blob:");
  new PerformanceObserver((seen) => add(seen.getEntries().filter(outside).length)).observe({ type: "resource" });
  addEventListener("securitypolicyviolation", () => add(1));
}

async function scan(picture, name) {
  const number = ++latest;
  at("state").textContent = `Scanning ${name}…`;
  document.documentElement.dataset.busy = "";
  const report = await scanner.scan(picture, { deadlineMs: 30_000 });
  const hash = await scanner.hash(picture);
  if (number !== latest) return;
  delete document.documentElement.dataset.busy;
  at("state").textContent = `${name}: ${report.verdict}.`;
  show(picture, report, hash);
}

function show(picture, report, hash) {
  URL.revokeObjectURL(at("picture").src);
  at("answer").classList.remove("unseeable");
  at("picture").src = URL.createObjectURL(picture);
  at("answer").dataset.verdict = report.verdict;
  at("verdict-word").textContent = report.verdict;
  at("meaning").textContent = MEANINGS[report.verdict];
  showFacts(report);
  // A label of which nothing follows is the classifier's panel's.
  const told = report.findings.filter(({ label, verdict }) => !label || verdict !== "allow");
  at("findings").replaceChildren(...told.map(finding));
  if (told.length === 0) at("findings").append(element("li", "quiet", "No list has it, and the classifier sees nothing to warn of."));
  showScores(report);
  showHash(hash);
  showTimes(report.timings);
  at("result").hidden = false;
  at("verdict").focus({ preventScroll: true });
  at("result").scrollIntoView({ block: "start" });
}

function showFacts({ reason, media, frames }) {
  const rows = [];
  if (reason) rows.push(["Rule", reason.rule]);
  if (reason?.list) rows.push(["List", `${reason.list}, version ${reason.listVersion}`]);
  if (media) {
    const scale = media.scale > 1 ? `, read at 1/${media.scale}` : "";
    const shown = frames > 1 ? `, ${frames} frames` : "";
    rows.push(["Picture", `${media.format.toUpperCase()}, ${media.width} × ${media.height}${scale}${shown}`]);
  }
  at("facts").replaceChildren(
    ...rows.flatMap(([term, value]) => [element("dt", "", term), element("dd", "", value)]),
  );
}

function finding({ text, verdict, rule }) {
  const item = element("li", "");
  item.dataset.verdict = verdict;
  const said = element("span", "text", text.startsWith("presend") ? text : text[0].toUpperCase() + text.slice(1));
  item.append(element("span", "chip", verdict), said, element("code", "", rule));
  return item;
}

function showScores({ findings, inferences }) {
  const labels = findings.filter(({ score }) => score !== undefined);
  const ruled = labels.filter(({ label }) => warnings.has(label));
  at("scores").replaceChildren(...ruled.map(score));
  at("all-scores").replaceChildren(...labels.filter(({ label }) => !warnings.has(label)).map(score));
  at("all").hidden = labels.length === 0;
  const [model] = scanner.models;
  at("model-note").textContent = inferences
    ? `${model.name} ${model.version}, from 0 to 1. It is often wrong, so it alone never blocks.`
    : "It did not get to look at the picture.";
}

function score({ label, score, verdict }) {
  const row = element("div", "score");
  row.dataset.verdict = verdict;
  const meter = element("div", "meter");
  const bar = element("span", "value");
  bar.style.width = `${score * 100}%`;
  meter.append(bar);
  row.append(element("span", "label", label), meter, element("span", "number", score.toFixed(3)));
  if (warnings.has(label)) {
    const mark = element("span", "warning");
    mark.style.left = `${warnings.get(label) * 100}%`;
    meter.append(mark);
    row.append(element("span", "from", `The policy warns from ${warnings.get(label)} on.`));
  }
  return row;
}

function showHash(hash) {
  const canvas = at("hash");
  canvas.hidden = !hash;
  canvas.parentElement.classList.toggle("none", !hash);
  if (!hash) {
    at("hash-note").textContent = "There is nothing to hash.";
    return;
  }
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, 16, 16);
  context.fillStyle = getComputedStyle(canvas).color;
  for (let bit = 0; bit < 256; bit++) {
    if ((hash.bits[bit >> 3] >> (bit & 7)) & 1) context.fillRect(bit % 16, bit >> 4, 1, 1);
  }
  at("hash-note").textContent =
    `256 bits (PDQ, quality ${hash.quality} of 100). Near copies share nearly all of them. This page draws them for you and keeps none.`;
}

function showTimes(timings) {
  const times = STAGES.map(([name, of]) => [name, of(timings)]);
  at("total").textContent = `${duration(timings.total)} in all`;
  at("bar").replaceChildren(...times.map(([, time], stage) => {
    const part = element("span", "");
    part.dataset.stage = stage;
    part.style.flexGrow = time;
    return part;
  }));
  at("legend").replaceChildren(...times.map(([name, time], stage) => {
    const item = element("li", "", `${name} `);
    item.dataset.stage = stage;
    item.append(element("span", "number", duration(time)));
    return item;
  }));
}

function duration(milliseconds) {
  return milliseconds < 1 ? "<\u00a01\u00a0ms" : `${Math.round(milliseconds)}\u00a0ms`;
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

at("picture").addEventListener("error", () => at("answer").classList.add("unseeable"));
at("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) scan(target.files[0], target.files[0].name);
  // So that the same file can be chosen again.
  target.value = "";
});
at("test-picture").addEventListener("click", () => scan(testPicture, "The test picture"));

addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").dataset.over = "";
});
addEventListener("dragleave", () => delete at("drop").dataset.over);
addEventListener("drop", (event) => {
  event.preventDefault();
  delete at("drop").dataset.over;
  const [file] = event.dataTransfer.files;
  if (file && scanner) scan(file, file.name);
});
addEventListener("paste", ({ clipboardData }) => {
  const [file] = clipboardData.files;
  if (file && scanner) scan(file, "The pasted picture");
});

load().catch((error) => {
  at("state").textContent = `This page cannot scan: ${error.message}`;
});
