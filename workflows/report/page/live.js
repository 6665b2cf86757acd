// Shows each look at a campaign that the server sends. Every text is set as text: nothing in it can become an element.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const STATES = ["done", "failed", "skipped", "stopped", "cancelled", "running", "held", "ready", "waiting"];
  const count = (number) => Number(number).toLocaleString("en");
  const element = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const duration = (seconds) => {
    if (seconds < 100) return `${Math.round(seconds)} s`;
    if (seconds < 6000) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
    return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
  };
  const rows = (id, lines) => {
    $(id).hidden = !lines.length;
    $(id).querySelector("tbody").replaceChildren(...lines.map((cells) => {
      const row = element("tr");
      row.append(...cells.map(([text, kind]) => element("td", text, kind)));
      return row;
    }));
  };

  const show = (look) => {
    if (look.trouble) { $("status").textContent = look.trouble; return; }
    const total = Math.max(1, look.total);
    $("name").textContent = look.name || $("name").textContent;
    const status = look.status;
    document.title = `${Math.floor((100 * look.finished) / total)} % ${look.name}: ${status}`;
    $("status").textContent = `${status}${look.head ? `, process ${look.head.pid} on ${look.head.host}` : ""}, as of ${new Date().toLocaleTimeString()}`;
    const there = STATES.filter((state) => look.counts[state]);
    $("bar").replaceChildren(...there.map((state) => {
      const part = element("i", undefined, state);
      part.style.flex = String(look.counts[state]);
      return part;
    }));
    $("bar").setAttribute("aria-label", there.map((state) => `${look.counts[state]} ${state}`).join(", "));
    $("counts").replaceChildren(...there.map((state) => {
      const said = element("span", undefined, "state");
      said.append(element("i", undefined, state), `${count(look.counts[state])} ${state}`);
      return said;
    }));
    const pace = [`${count(look.finished)} of ${count(look.total)} jobs ended`];
    if (look.rate) pace.push(look.rate >= 1 ? `${look.rate.toPrecision(3)}/s` : `${(60 * look.rate).toPrecision(3)}/min`);
    if (look.seconds_left) pace.push(`about ${duration(look.seconds_left)} left for the jobs so far`);
    pace.push(`${look.node_hours.toPrecision(3)} node-hours`);
    if (look.hours_left) pace.push(`about ${look.hours_left.toPrecision(2)} more`);
    if (look.budget) pace.push(`${Math.max(0, look.budget - look.node_hours).toPrecision(3)} left of ${look.budget}`);
    $("pace").textContent = pace.join(" · ");
    $("waits").hidden = !look.waits_for;
    $("waits").textContent = look.waits_for;
    rows("pools", look.pools.map((pool) => [[pool.name], [count(pool.blocks), "n"], [Object.entries(pool.counts).map(([state, jobs]) => `${count(jobs)} ${state}`).join(" · ")]]));
    const titles = [...new Set(look.rounds.flatMap((one) => Object.keys(one)))];
    const head = element("tr");
    head.append(...titles.map((title) => Object.assign(element("th", title, "n"), { scope: "col" })));
    $("rounds").querySelector("thead").replaceChildren(head);
    rows("rounds", look.rounds.map((one) => titles.map((title) => [one[title] || "", "n"])));
    rows("best", look.best.map((one) => [[one.name], [one.value], [one.what]]));
    $("best").hidden = !look.found;
    $("best").querySelector("p").textContent = look.found;
    const now = Date.now() / 1000;
    rows("running", look.running.map((job) => [[String(job.id), "n"], [job.name], [duration(Math.max(0, now - job.since)), "n"], [job.host]]));
    rows("failures", look.failures.map((job) => [[String(job.id), "n"], [job.name], [job.reason]]));
    document.documentElement.dataset.looks = String(1 + Number(document.documentElement.dataset.looks || 0));
  };

  const events = new EventSource("/events");
  events.onmessage = (event) => { document.body.classList.remove("lost"); show(JSON.parse(event.data)); };
  events.onerror = () => document.body.classList.add("lost");
})();
