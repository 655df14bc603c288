// The configuration editor: completion from the property table, errors from the library.
"use strict";

class Editor {
  constructor(side, presets, properties) {
    this.root = document.querySelector(`.side[data-side="${side}"]`);
    this.area = this.root.querySelector(".config");
    this.list = this.root.querySelector(".completion");
    this.errors = this.root.querySelector(".errors");
    this.select = this.root.querySelector(".preset");
    this.properties = properties;
    this.presets = presets;
    this.wrong = false;
    for (const name of Object.keys(presets)) this.select.add(new Option(name, name));
    this.select.addEventListener("change", () => this.usePreset(this.select.value));
    this.area.addEventListener("input", () => { this.complete(); this.checkSoon(); });
    this.area.addEventListener("keydown", (e) => this.key(e));
    this.area.addEventListener("blur", () => setTimeout(() => { this.list.hidden = true; }, 150));
  }

  usePreset(name) {
    this.select.value = name;
    this.root.querySelector(".about").textContent = this.presets[name].about;
    this.area.value = Object.entries(this.presets[name].config).map(([k, v]) => `${k}=${v}`).join("\n") + "\n";
    this.check();
  }

  config() {
    const config = {};
    for (const line of this.area.value.split("\n")) {
      const text = line.trim();
      if (!text || text.startsWith("#")) continue;
      const at = text.indexOf("=");
      config[(at < 0 ? text : text.slice(0, at)).trim()] = at < 0 ? "" : text.slice(at + 1).trim();
    }
    return config;
  }

  // What stands before the cursor in its line.
  word() {
    const before = this.area.value.slice(0, this.area.selectionStart);
    return before.slice(before.lastIndexOf("\n") + 1);
  }

  complete() {
    const word = this.word();
    const [name, value] = word.split("=");
    let found = [];
    if (value === undefined) {
      const wanted = name.trim().toLowerCase();
      if (wanted) {
        const starts = this.properties.filter((p) => p.name.startsWith(wanted));
        const holds = this.properties.filter((p) => !p.name.startsWith(wanted) && p.name.includes(wanted));
        found = [...starts, ...holds].slice(0, 12).map((p) => ({ text: `${p.name}=`, label: p.name, note: `${p.range ? p.range + "; " : ""}default ${p.default || "none"}. ${p.text}` }));
      }
    } else {
      const property = this.properties.find((p) => p.name === name.trim());
      const values = property && property.range.includes(",") ? property.range.split(",").map((v) => v.trim()) : [];
      found = values.filter((v) => v.startsWith(value.trim()) && v !== value.trim()).map((v) => ({ text: `${name}=${v}`, label: v, note: "" }));
    }
    this.list.replaceChildren(...found.map((f) => {
      const item = document.createElement("li");
      item.role = "option";
      item.textContent = f.label;
      const note = document.createElement("small");
      note.textContent = f.note.slice(0, 160);
      item.append(note);
      item.addEventListener("mousedown", (e) => { e.preventDefault(); this.take(f.text); });
      item.dataset.text = f.text;
      return item;
    }));
    this.list.hidden = !found.length;
    if (found.length) this.list.firstChild.classList.add("on");
  }

  take(text) {
    const at = this.area.selectionStart, word = this.word();
    this.area.setRangeText(text, at - word.length, at, "end");
    this.area.focus();
    this.complete();
    this.check();
  }

  key(e) {
    if (this.list.hidden) return;
    const on = this.list.querySelector(".on");
    if (e.key === "Tab" || e.key === "Enter") {
      e.preventDefault();
      this.take(on.dataset.text);
    } else if (e.key === "Escape") {
      this.list.hidden = true;
    } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      const next = e.key === "ArrowDown" ? on.nextSibling : on.previousSibling;
      if (next) { on.classList.remove("on"); next.classList.add("on"); next.scrollIntoView({ block: "nearest" }); }
    }
  }

  checkSoon() { clearTimeout(this.timer); this.timer = setTimeout(() => this.check(), 250); }

  async check() {
    const { errors } = await post("/api/check", { config: this.config() });
    this.errors.replaceChildren(...Object.entries(errors || {}).map(([, text]) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
    this.wrong = Object.keys(errors || {}).length > 0;
    this.area.setAttribute("aria-invalid", String(this.wrong));
  }
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return answer.json();
}
