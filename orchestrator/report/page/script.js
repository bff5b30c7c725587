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
    var left = event.clientX - box.left + 16;
    if (left + tip.offsetWidth > box.width) { left -= tip.offsetWidth + 32; }
    tip.style.left = left + "px";
    tip.style.top = Math.max(0, event.clientY - box.top - tip.offsetHeight / 2) + "px";
  }
  function hide() {
    tip.style.display = "none";
    cross.style.visibility = "hidden";
  }
  svg.addEventListener("mousemove", show);
  svg.addEventListener("mouseleave", hide);
})();
