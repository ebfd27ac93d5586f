"use strict";
const live = new EventSource("live");
live.onopen = () => document.body.classList.remove("lost");
live.onerror = () => document.body.classList.add("lost");
live.onmessage = (message) => {
  for (const [id, html] of Object.entries(JSON.parse(message.data))) {
    const section = document.getElementById(id);
    const at = [...section.querySelectorAll(".scroll")].map((e) => e.scrollTop);
    section.innerHTML = html; // the proxy has escaped what is in it
    section.querySelectorAll(".scroll").forEach((e, i) => { e.scrollTop = at[i] || 0; });
  }
};
const form = document.getElementById("explain");
if (form) {
  form.onsubmit = async (event) => {
    event.preventDefault();
    const out = document.getElementById("explained");
    out.hidden = false;
    try {
      const answer = await fetch("explain?" + new URLSearchParams(new FormData(form)));
      out.textContent = await answer.text();
    } catch {
      out.textContent = "The proxy does not answer.";
    }
  };
}
