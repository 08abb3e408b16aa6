/* SPDX-License-Identifier: Apache-2.0 */
/* Uses the page as a reader would, and says in its title what came of it: report_test.sh appends this to the page. */
(function () {
    "use strict";
    var svg = document.getElementById("picture"), box = svg.getBoundingClientRect(), said = [];
    var head = document.querySelector("#t-symbols th"), body = document.querySelector("#t-symbols tbody");
    var filter = document.getElementById("filter");
    svg.dispatchEvent(new PointerEvent("pointermove",
        {bubbles: true, clientX: box.left + box.width * 0.3, clientY: box.top + 180}));
    said.push("tip " + document.getElementById("tip").textContent.split("\n")[0]);
    document.querySelector("[data-zoom=in]").click();
    said.push("view " + svg.getAttribute("viewBox"));
    svg.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
    said.push("cursor " + (+document.getElementById("cursor").getAttribute("width") > 0 &&
        document.getElementById("tip").textContent.indexOf("new 0x") === 0));
    head.dispatchEvent(new KeyboardEvent("keydown", {key: " ", bubbles: true}));
    said.push("order " + (body.rows[0].cells[0].textContent <= body.rows[1].cells[0].textContent));
    filter.value = "sensor_statistics";
    filter.dispatchEvent(new Event("input"));
    said.push("left " + Array.prototype.filter.call(body.rows, function (row) { return !row.hidden; }).length);
    said.push("wide " + Math.max(0, document.documentElement.scrollWidth - innerWidth));
    document.title = said.join("|");
})();
