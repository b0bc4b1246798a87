// Walks over a page and gives all that is wrong with it; the body of a function.
const wrong = [];
const all = css => [...document.querySelectorAll(css)];
const words = node => (node.textContent || '').trim();
if (document.documentElement.lang !== 'zh-CN') wrong.push('lang is ' + document.documentElement.lang);
if (!document.title.trim()) wrong.push('no title');
for (const one of ['h1', 'main', 'header'])
  if (all(one).length !== 1) wrong.push(all(one).length + ' of ' + one);
if (document.scripts.length) wrong.push('a script');
if (all('[style], [onclick], [onchange], [onsubmit], style').length) wrong.push('style or script in the page itself');
for (const control of all('input:not([type=hidden]), select, textarea')) {
  const name = control.name || control.outerHTML;
  if (control.labels.length !== 1 || !words(control.labels[0])) wrong.push('no label of its own: ' + name);
  const described = (control.getAttribute('aria-describedby') || '').split(' ').filter(Boolean);
  for (const id of described) if (!document.getElementById(id)) wrong.push(name + ' is described by nothing: ' + id);
  if (control.getAttribute('aria-invalid') === 'true' && !described.length) wrong.push('invalid, and nothing says why: ' + name);
}
for (const one of all('a[href], button, legend, caption, th, summary, label'))
  if (!words(one)) wrong.push('no words in ' + one.outerHTML.slice(0, 80));
for (const one of all('a[href^="#"]'))
  if (!document.getElementById(decodeURIComponent(one.hash.slice(1)))) wrong.push('leads nowhere: ' + one.hash);
for (const one of all('thead th')) if (one.scope !== 'col') wrong.push('a heading without its scope: ' + words(one));
for (const one of all('img')) if (!one.alt) wrong.push('a picture without words');
const ids = all('[id]').map(one => one.id);
for (const id of ids) if (ids.filter(one => one === id).length > 1) wrong.push('twice: #' + id);
let level = 0;
for (const one of all('h1, h2, h3, h4')) {
  const own = Number(one.tagName[1]);
  if (own > level + 1) wrong.push('a level is left out before ' + words(one));
  level = own;
}
return wrong;
