// presend's Worker, which tells the page of everything that it asks of the network
// once its scripts are there, and of what the page's policy has kept from it.

import "./presend/worker.js";

const tell = (requests) => requests && self.postMessage({ requests });
const observer = new PerformanceObserver((seen) => tell(seen.getEntries().filter(outside).length));
observer.observe({ type: "resource" });
self.addEventListener("securitypolicyviolation", () => tell(1));

function outside({ name }) {
  return !name.startsWith("blob:");
}
