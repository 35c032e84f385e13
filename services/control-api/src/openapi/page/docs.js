// Shows /openapi.json. Everything is written as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const MAX_DEPTH = 6;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) made.append(child);
  return made;
}

// `code` between backticks; everything else as it is.
function prose(text) {
  return (text || "").split("`").map((part, index) => (index % 2 ? element("code", null, part) : part));
}

function paragraphs(text) {
  return (text || "").split(/\n{2,}/).filter(Boolean).map((part) => element("p", null, prose(part)));
}

let whole = {};

function resolve(part) {
  for (let hops = 0; part && part.$ref && hops < 10; hops += 1) {
    const { $ref, ...beside } = part;
    const found = $ref.replace(/^#\//, "").split("/").reduce((at, key) => at && at[key.replace(/~1/g, "/")], whole);
    part = { ...found, ...beside };
  }
  return part || {};
}

function typeOf(schema) {
  const alternatives = schema.oneOf || schema.anyOf;
  if (alternatives) return alternatives.map((one) => typeOf(resolve(one))).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  const types = [].concat(schema.type || "any").map((type) => {
    if (type !== "array") return type;
    return "array of " + typeOf(resolve(schema.items || {}));
  });
  const bounds = [];
  if (schema.minimum !== undefined || schema.maximum !== undefined) {
    bounds.push(`${schema.minimum ?? ""}…${schema.maximum ?? ""}`);
  }
  if (schema.maxLength !== undefined) bounds.push(`at most ${schema.maxLength} characters`);
  if (schema.format && !/^u?int|double/.test(schema.format)) bounds.push(schema.format);
  return types.join(" or ") + (bounds.length ? ` (${bounds.join(", ")})` : "");
}

// The schemas inside that have fields: of alternatives, of arrays' items, of all that are put together.
function objectsIn(schema) {
  const found = resolve(schema);
  if (found.allOf) {
    const parts = found.allOf.map(resolve);
    return [{ properties: Object.assign({}, ...parts.map((part) => part.properties)), required: parts.flatMap((part) => part.required || []) }];
  }
  const inside = found.oneOf || found.anyOf || (found.items ? [found.items] : []);
  return found.properties ? [found] : inside.flatMap(objectsIn);
}

function fields(schema, depth = 0) {
  return objectsIn(schema).map((object) => {
    const required = new Set(object.required || []);
    const rows = Object.entries(object.properties || {}).map(([name, raw]) => {
      const field = resolve(raw);
      const inner = depth < MAX_DEPTH ? fields(raw, depth + 1) : [];
      const label = element("code", required.has(name) ? { class: "required" } : null, name + (required.has(name) ? " *" : ""));
      const folded = inner.length ? element("details", null, element("summary", null, "its fields"), inner) : null;
      return element("tr", null, element("td", null, label), element("td", null, typeOf(field)), element("td", null, prose(field.description), folded));
    });
    return element("table", null, rows);
  });
}

function body(title, of) {
  const parts = Object.entries(of.content || {}).map(([type, content]) => [
    element("p", null, element("code", null, type)),
    fields(content.schema),
    content.example === undefined ? null : element("pre", null, JSON.stringify(content.example, null, 2)),
  ]);
  return parts.length ? [element("h4", null, title), parts] : [];
}

function parameters(list) {
  if (!list || !list.length) return [];
  const rows = list.map(resolve).map((one) => {
    const label = element("code", one.required ? { class: "required" } : null, one.name + (one.required ? " *" : ""));
    return element("tr", null, element("td", null, label), element("td", null, one.in), element("td", null, typeOf(resolve(one.schema))), element("td", null, prose(one.description)));
  });
  return [element("h4", null, "Parameters"), element("table", null, rows)];
}

function answers(responses) {
  return Object.entries(responses).map(([status, raw]) => {
    const answer = resolve(raw);
    const headers = Object.keys(answer.headers || {}).map((name) => [element("code", null, name), " "]);
    const attributes = status.startsWith("2") ? { open: "" } : null;
    return element("details", attributes, element("summary", null, element("b", null, status), " ", prose(answer.description)),
      headers.length ? element("p", null, "Headers: ", headers.flat()) : null, body("Body", answer));
  });
}

function operation(path, method, of) {
  return element("section", { class: "operation", id: of.operationId },
    element("h3", null, of.summary),
    element("p", null, element("span", { class: "method" }, method), element("code", null, path)),
    paragraphs(of.description),
    element("p", null, "Key: ", element("a", { href: "#keys" }, (of.security || []).map((one) => Object.keys(one).join(" + ")).join(", or "))),
    parameters(of.parameters),
    of.requestBody ? body("Request", of.requestBody) : [],
    element("h4", null, "Answers"), answers(of.responses));
}

function show() {
  const main = document.getElementById("operations");
  const contents = document.getElementById("contents");
  main.replaceChildren(element("h1", null, `${whole.info.title} API ${whole.info.version}`), ...paragraphs(whole.info.description),
    element("p", null, element("a", { href: "/openapi.json" }, "openapi.json")));
  for (const tag of whole.tags) {
    contents.append(element("h2", null, tag.name));
    main.append(element("h2", null, tag.name), ...paragraphs(tag.description));
    for (const [path, item] of Object.entries(whole.paths)) {
      for (const method of METHODS.filter((one) => item[one] && item[one].tags.includes(tag.name))) {
        contents.append(element("a", { href: "#" + item[method].operationId }, item[method].summary));
        main.append(operation(path, method, item[method]));
      }
    }
  }
  const schemes = Object.entries(whole.components.securitySchemes).map(([name, one]) =>
    element("tr", null, element("td", null, element("code", null, name)), element("td", null, prose(one.description))));
  contents.append(element("h2", null, "Keys"), element("a", { href: "#keys" }, "What keys there are"));
  main.append(element("h2", { id: "keys" }, "Keys"), element("table", null, schemes));
  // What the address names wasn't there when the page was read.
  const wanted = document.getElementById(location.hash.slice(1));
  if (wanted) wanted.scrollIntoView();
}

fetch("/openapi.json").then((answer) => answer.json()).then((read) => {
  whole = read;
  show();
}).catch((error) => {
  document.getElementById("state").textContent = `openapi.json can't be shown: ${error}`;
});
