"use strict";
// What pages do by themselves: parts are asked for anew every five seconds while somebody looks, moments are kept
// relative, and the keyboard goes everywhere. Without this file every page still works.
(() => {
  const EVERY_MS = 5000;

  function tick() {
    if (document.hidden) return;
    const busy = document.activeElement;
    // Whoever is writing into a form keeps it.
    const live = document.getElementById("live");
    if (live && busy && live.contains(busy) && busy.matches("input, select, textarea")) return;
    if (live && [...live.querySelectorAll("input[name=reason]")].some((each) => each.value)) return;
    document.body.dispatchEvent(new Event("tick"));
  }

  function span(seconds) {
    const size = Math.abs(seconds);
    for (const [length, name] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (size >= length * 1.5) return `${Math.round(seconds / length)}\u202f${name}`;
    }
    return `${Math.round(seconds)}\u202fs`;
  }

  // Moments age by the server's clock: the browser's may be wrong.
  const made = document.querySelector(".foot time");
  const ahead = made ? Date.now() - Date.parse(made.dateTime) : 0;

  function age() {
    if (document.hidden) return;
    for (const each of document.querySelectorAll("time.rel")) {
      const seconds = (Date.now() - ahead - Date.parse(each.dateTime)) / 1000;
      each.textContent = seconds < -1 ? `in ${span(-seconds)}` : `${span(Math.max(0, seconds))} ago`;
    }
  }

  function palette() {
    const dialog = document.getElementById("palette");
    const words = document.getElementById("palette-words");
    const list = document.getElementById("palette-pages");
    const pages = [...document.querySelectorAll("nav.menu a")].map((a) => [a.textContent, a.getAttribute("href")]);
    if (!pages.length || !dialog.showModal) return;
    const show = () => {
      list.replaceChildren();
      const said = words.value.trim().toLowerCase();
      const found = pages.filter(([name]) => name.toLowerCase().includes(said));
      if (said) found.push([`Search for “${words.value.trim()}”`, `/search?q=${encodeURIComponent(words.value.trim())}`]);
      for (const [name, address] of found) {
        const item = document.createElement("li");
        const link = document.createElement("a");
        link.textContent = name;
        link.href = address;
        item.append(link);
        list.append(item);
      }
    };
    words.oninput = show;
    words.onkeydown = (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        const first = list.querySelector("a");
        if (first) location.assign(first.href);
      }
    };
    words.value = "";
    show();
    dialog.showModal();
    words.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if ((event.ctrlKey || event.metaKey) && event.key === "k") {
        event.preventDefault();
        palette();
      }
      return;
    }
    if (event.target.matches("input, select, textarea")) return;
    if (event.key === "/") {
      const box = document.getElementById("search");
      if (box) {
        event.preventDefault();
        box.focus();
        box.select();
      }
    } else if (event.key === "g") {
      event.preventDefault();
      palette();
    }
  });

  // A form is sent once, however often it is pressed.
  document.addEventListener("submit", (event) => {
    for (const button of event.target.querySelectorAll("button[type=submit]")) {
      setTimeout(() => { button.disabled = true; });
      setTimeout(() => { button.disabled = false; }, 3000);
    }
  });

  setInterval(tick, EVERY_MS);
  setInterval(age, 1000);
  document.addEventListener("visibilitychange", tick);
  for (const name of ["htmx:error", "htmx:response:error"]) {
    document.addEventListener(name, () => document.getElementById("live")?.classList.add("stale"));
  }
  document.addEventListener("htmx:after:swap", () => document.getElementById("live")?.classList.remove("stale"));
})();
