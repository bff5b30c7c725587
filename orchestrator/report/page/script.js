"use strict";
(function () {
  document.querySelectorAll(".copy button").forEach(function (button) {
    button.addEventListener("click", function () {
      var text = button.parentNode.querySelector("pre").textContent;
      function done() {
        button.textContent = "copied";
        setTimeout(function () { button.textContent = "copy"; }, 1500);
      }
      if (navigator.clipboard) {
        navigator.clipboard.writeText(text).then(done);
      } else {
        getSelection().selectAllChildren(button.parentNode.querySelector("pre"));
        document.execCommand("copy");
        done();
      }
    });
  });
  /* A link to an anomaly opens what it is folded into. */
  function unfold() {
    var at = location.hash && document.getElementById(location.hash.slice(1));
    for (var e = at; e; e = e.parentNode) {
      if (e.tagName === "DETAILS") { e.open = true; }
    }
    if (at) { at.scrollIntoView(); }
  }
  addEventListener("hashchange", unfold);
  if (location.hash) { unfold(); }

  /* Long tables show the rows that have a text. */
  document.querySelectorAll(".scroll > table").forEach(function (table) {
    var rows = Array.from(table.tBodies[0].rows);
    if (rows.length < 9) { return; }
    var input = document.createElement("input");
    input.type = "search";
    input.placeholder = "filter " + rows.length + " rows";
    input.setAttribute("aria-label", "show rows that have this text");
    input.addEventListener("input", function () {
      var word = input.value.toLowerCase();
      rows.forEach(function (r) { r.hidden = r.textContent.toLowerCase().indexOf(word) < 0; });
    });
    table.parentNode.insertBefore(input, table);
  });

  var source = document.getElementById("series");
  if (!source) { return; }
  var data = JSON.parse(source.textContent);
  var svg = document.querySelector(".chart svg");
  var cross = document.getElementById("cross");
  var tip = document.getElementById("tip");
  function time(s) {
    var d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
    var r = (s % 60).toFixed(data.step < 1 ? 1 : 0);
    return (d ? d + "d " : "") + (h || d ? h + "h " : "") + (m || h || d ? m + "m " : "") + r + "s";
  }
  function ms(us) {
    if (!us) { return "–"; }
    return us >= 1e6 ? (us / 1e6).toFixed(2) + " s" : us >= 1e4 ? (us / 1e3).toFixed(1) + " ms" : (us / 1e3).toFixed(2) + " ms";
  }
  function row(name, value) {
    return "<tr><td>" + name + "</td><td class=n><b>" + value + "</b></td></tr>";
  }
  function show(event) {
    var box = svg.getBoundingClientRect();
    var x = (event.clientX - box.left) / box.width * data.width;
    var i = Math.floor((x - data.left) / (data.right - data.left) * data.span / data.step);
    if (x < data.left || x > data.right || i < 0 || i >= data.rounds.length) { hide(); return; }
    var text = "<b>" + time(i * data.step) + "</b><table>" +
      row("rounds/s", (data.rounds[i] / data.step).toFixed(data.rounds[i] / data.step < 10 ? 1 : 0));
    data.latency.forEach(function (l) {
      text += row(l.name + " p50", ms(l.p50[i])) + row(l.name + " p99", ms(l.p99[i])) + row(l.name + " max", ms(l.max[i]));
    });
    if (data.anomalies[i]) { text += row("anomalies", data.anomalies[i]); }
    data.faults.forEach(function (f) {
      if (f.at[i]) {
        var modes = data.modes.filter(function (m, k) { return f.at[i] >> k & 1; });
        text += row(f.name, modes.join(", "));
      }
    });
    tip.innerHTML = text + "</table>";
    tip.style.display = "block";
    cross.setAttribute("x1", x);
    cross.setAttribute("x2", x);
    cross.style.visibility = "visible";
    var seen = frame.getBoundingClientRect();
    var left = event.clientX - seen.left + 16;
    if (left + tip.offsetWidth > seen.width) { left -= tip.offsetWidth + 32; }
    tip.style.left = left + "px";
    tip.style.top = Math.max(0, event.clientY - box.top - tip.offsetHeight / 2) + "px";
  }
  function hide() {
    tip.style.display = "none";
    cross.style.visibility = "hidden";
  }
  svg.addEventListener("mousemove", show);
  svg.addEventListener("mouseleave", hide);

  /* Time closer by: the picture gets wider in a frame that scrolls. What is
     written in it stays as it is. */
  var frame = document.createElement("div"), zoom = 1, width = 0, fingers = {};
  frame.className = "frame";
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", "timeline: + and - zoom, arrows move, 0 shows all");
  svg.parentNode.insertBefore(frame, svg);
  frame.appendChild(svg);
  /* at: the share of the frame that stays where it is. */
  function closer(factor, at) {
    var old = zoom, x = frame.scrollLeft + at * frame.clientWidth;
    if (old === 1) {
      width = svg.getBoundingClientRect().width;
      svg.style.height = svg.getBoundingClientRect().height + "px";
    }
    zoom = Math.min(64, Math.max(1, zoom * factor));
    svg.style.width = zoom === 1 ? "" : width * zoom + "px";
    if (zoom === 1) { svg.style.height = ""; }
    svg.classList.toggle("zoomed", zoom > 1);
    svg.setAttribute("preserveAspectRatio", zoom > 1 ? "none" : "xMidYMid");
    frame.scrollLeft = x / old * zoom - at * frame.clientWidth;
    write();
    hide();
  }
  /* Texts keep their form, and those at the left edge stay there. */
  function write() {
    var from = frame.scrollLeft / (width * zoom) * data.width;
    svg.querySelectorAll("text[x]").forEach(function (t) {
      var x = t.getAttribute("x"), to = x > data.left ? x : from + x / zoom;
      t.setAttribute("transform", "translate(" + to + " 0) scale(" + 1 / zoom + " 1) translate(" + -x + " 0)");
    });
  }
  frame.addEventListener("scroll", function () { if (zoom > 1) { write(); } });
  function share(x) {
    var box = frame.getBoundingClientRect();
    return (x - box.left) / box.width;
  }
  frame.addEventListener("keydown", function (event) {
    var factor = { "+": 2, "=": 2, "-": 0.5, "0": 1 / 64 }[event.key];
    if (factor && !event.ctrlKey && !event.metaKey) { closer(factor, 0.5); event.preventDefault(); }
  });
  frame.addEventListener("wheel", function (event) {
    if (!event.ctrlKey && !event.shiftKey) { return; }
    closer(Math.exp(-(event.deltaY || event.deltaX) / 300), share(event.clientX));
    event.preventDefault();
  }, { passive: false });
  frame.addEventListener("dblclick", function (event) { closer(2, share(event.clientX)); });
  /* A mouse drags the picture; two fingers spread it. */
  frame.addEventListener("pointerdown", function (event) { fingers[event.pointerId] = event.clientX; });
  frame.addEventListener("pointermove", function (event) {
    var ids = Object.keys(fingers), before = fingers[event.pointerId];
    if (before === undefined) { return; }
    fingers[event.pointerId] = event.clientX;
    if (ids.length === 2) {
      var other = fingers[ids[0] === String(event.pointerId) ? ids[1] : ids[0]];
      var was = Math.abs(before - other), is = Math.abs(event.clientX - other);
      if (was > 20 && is > 20) { closer(is / was, share((event.clientX + other) / 2)); }
    } else if (event.pointerType === "mouse") { frame.scrollLeft -= event.clientX - before; }
  });
  function lift(event) { delete fingers[event.pointerId]; }
  ["pointerup", "pointercancel", "pointerleave"].forEach(function (name) { frame.addEventListener(name, lift); });
  var bar = document.createElement("div");
  bar.className = "zoom";
  [["+", 2, "closer"], ["\u2212", 0.5, "farther"], ["all", 1 / 64, "show all"]].forEach(function (b) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = b[0];
    button.setAttribute("aria-label", b[2]);
    button.addEventListener("click", function () { closer(b[1], 0.5); });
    bar.appendChild(button);
  });
  frame.parentNode.insertBefore(bar, frame);
})();
