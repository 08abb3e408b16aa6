/* SPDX-License-Identifier: Apache-2.0 */
/* What the page can do beside being read: a zoom into the picture, tips, tables that sort. Nothing is fetched. */
(function () {
    "use strict";
    var data = JSON.parse(document.getElementById("data").textContent);
    var svg = document.getElementById("picture");
    var tip = document.getElementById("tip");
    var WIDTH = 100000, view = [0, WIDTH];
    var height = svg ? svg.viewBox.baseVal.height : 0;

    function number(n) { return Math.round(n).toLocaleString("en-US"); }
    function hex(n) { return "0x" + n.toString(16); }
    function each(list, what) { Array.prototype.forEach.call(list, what); }
    function place(pos) {
        for (var i = 0; i < data.regions.length; i++) {
            var r = data.regions[i];
            if (pos >= r[0] && pos < r[0] + r[1]) { return hex(pos) + " (address " + hex(pos - r[0] + r[2]) + ")"; }
        }
        return hex(pos);
    }
    function show(from, to) {
        var width = Math.min(WIDTH, Math.max(to - from, WIDTH / 4000));
        from = Math.max(0, Math.min(from, WIDTH - width));
        view = [from, width];
        svg.setAttribute("viewBox", from + " 0 " + width + " " + height);
        var bytes = data.span / WIDTH, ends = document.querySelectorAll(".axis span");
        ends[0].textContent = hex(Math.floor(from * bytes));
        ends[1].textContent = width < WIDTH ? number(width * bytes) + " bytes shown" : "";
        ends[2].textContent = hex(Math.ceil((from + width) * bytes));
    }
    function zoom(by, at) {
        var x = at === undefined ? view[0] + view[1] / 2 : at, left = x - (x - view[0]) * by;
        show(left, left + view[1] * by);
    }
    function unit(event) {
        var box = svg.getBoundingClientRect();
        return view[0] + (event.clientX - box.left) / box.width * view[1];
    }
    function name_at(pos) {
        for (var i = 0; i < data.names.length; i++) {
            var n = data.names[i];
            if (pos >= n[0] && pos < n[0] + n[1]) { return n[2]; }
        }
        return "";
    }
    function describe(x) {
        var pos = Math.floor(x / WIDTH * data.span), i = Math.floor(pos / data.block), b = data.blocks[i];
        if (pos < 0 || pos >= data.new_len || b === undefined) { return ""; }
        var len = Math.min(data.block, data.new_len - i * data.block);
        var lines = ["new " + place(i * data.block) + ", " + number(len) + " bytes"], total = 0;
        if (!b) { b = [len]; }
        data.origins.forEach(function (label, k) {
            if (b[k]) { lines.push(label + ": " + number(b[k]) + " bytes"); }
        });
        data.parts.forEach(function (label, k) { total += b[5 + k] || 0; });
        lines.push("costs " + (total / 10).toFixed(1) + " bytes of delta");
        data.parts.forEach(function (label, k) {
            if (b[5 + k]) { lines.push("\u2003" + label + ": " + (b[5 + k] / 10).toFixed(1)); }
        });
        var name = name_at(pos);
        if (name) { lines.splice(1, 0, name); }
        return lines.join("\n");
    }
    function show_tip(event, text) {
        tip.hidden = text === "";
        if (text !== "") {
            tip.textContent = text;
            tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
            tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)) + "px";
        }
    }
    /* Where an element has a title, that is the tip; taken out, so that the browser does not show it as well. */
    function title_of(element) {
        var title = element.querySelector && element.tagName === "path" ? element.querySelector("title") : null;
        if (title) {
            element.setAttribute("data-tip", title.textContent);
            title.remove();
        }
        return element.getAttribute ? element.getAttribute("data-tip") : null;
    }
    if (svg) {
        var start = null, choose = document.getElementById("choose");
        document.querySelector(".tools").hidden = false;
        svg.addEventListener("pointermove", function (event) {
            if (start !== null) {
                var x = unit(event);
                choose.setAttribute("x", Math.min(start, x));
                choose.setAttribute("width", Math.abs(x - start));
                return;
            }
            show_tip(event, title_of(event.target) || describe(unit(event)));
        });
        svg.addEventListener("pointerleave", function (event) { show_tip(event, ""); });
        svg.addEventListener("pointerdown", function (event) {
            if (event.pointerType === "mouse" && event.button === 0) {
                start = unit(event);
                svg.setPointerCapture(event.pointerId);
                show_tip(event, "");
            }
        });
        svg.addEventListener("pointerup", function (event) {
            var x = unit(event), from = start;
            start = null;
            choose.setAttribute("width", 0);
            if (from !== null && Math.abs(x - from) > view[1] / 200) { show(Math.min(from, x), Math.max(from, x)); }
        });
        svg.addEventListener("dblclick", function (event) { zoom(0.5, unit(event)); });
        /* By keyboard: a cursor goes from column to column, and tells what the pointer would. */
        var cursor = document.getElementById("cursor"), at = 0;
        svg.tabIndex = 0;
        svg.addEventListener("keydown", function (event) {
            var step = Math.max(data.block / data.span * WIDTH, view[1] / 200), box = svg.getBoundingClientRect();
            var keys = {ArrowLeft: -step, ArrowRight: step, Home: -WIDTH, End: WIDTH};
            at = Math.max(view[0], Math.min(at, view[0] + view[1]));
            if (event.key in keys) {
                at = Math.max(0, Math.min(at + keys[event.key], (data.new_len - 1) / data.span * WIDTH));
                if (at < view[0] || at > view[0] + view[1]) { show(at - view[1] / 2, at + view[1] / 2); }
            } else if (event.key === "+" || event.key === "-") {
                zoom(event.key === "+" ? 0.5 : 2, at);
            } else {
                return;
            }
            event.preventDefault();
            cursor.setAttribute("x", at);
            cursor.setAttribute("width", view[1] / 400);
            show_tip({clientX: box.left + (at - view[0]) / view[1] * box.width, clientY: box.top + 180}, describe(at));
        });
        svg.addEventListener("blur", function (event) {
            cursor.setAttribute("width", 0);
            show_tip(event, "");
        });
        each(document.querySelectorAll("[data-zoom]"), function (button) {
            button.addEventListener("click", function () {
                var how = button.getAttribute("data-zoom");
                if (how === "in") { zoom(0.5); }
                if (how === "out") { zoom(2); }
                if (how === "all") { show(0, WIDTH); }
                if (how === "left") { show(view[0] - view[1] / 2, view[0] + view[1] / 2); }
                if (how === "right") { show(view[0] + view[1] / 2, view[0] + view[1] * 1.5); }
            });
        });
        each(document.querySelectorAll("tr[data-from]"), function (row) {
            var button = document.createElement("button");
            button.textContent = "show";
            button.setAttribute("type", "button");
            button.addEventListener("click", function () {
                var from = +row.getAttribute("data-from") / data.span * WIDTH;
                var len = +row.getAttribute("data-len") / data.span * WIDTH, edge = Math.max(len, WIDTH / 200);
                show(from - edge, from + len + edge);
                svg.scrollIntoView({block: "center"});
            });
            row.lastElementChild.appendChild(button);
        });
    }
    function value(row, column) {
        var cell = row.cells[column], v = cell ? cell.getAttribute("data-v") : null;
        return v === null ? (cell ? cell.textContent : "") : +v;
    }
    each(document.querySelectorAll("table.sortable"), function (table) {
        each(table.tHead.rows[0].cells, function (head, column) {
            if (!head.textContent) { return; }
            function sort() {
                var down = head.getAttribute("aria-sort") !== "descending", body = table.tBodies[0];
                if (!head.classList.contains("n") && !head.hasAttribute("aria-sort")) { down = false; }
                each(table.tHead.rows[0].cells, function (other) { other.removeAttribute("aria-sort"); });
                head.setAttribute("aria-sort", down ? "descending" : "ascending");
                Array.prototype.slice.call(body.rows).sort(function (a, b) {
                    var x = value(a, column), y = value(b, column);
                    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
                }).forEach(function (row) { body.appendChild(row); });
            }
            head.classList.add("sorts");
            head.tabIndex = 0;
            head.addEventListener("click", sort);
            head.addEventListener("keydown", function (event) {
                if (event.key === "Enter" || event.key === " ") {
                    event.preventDefault();
                    sort();
                }
            });
        });
    });
    var filter = document.getElementById("filter");
    if (filter) {
        filter.closest(".tools").hidden = false;
        filter.addEventListener("input", function () {
            each(document.querySelectorAll("#symbols tbody tr"), function (row) {
                row.hidden = row.cells[0].textContent.toLowerCase().indexOf(filter.value.toLowerCase()) < 0;
            });
        });
    }
})();
