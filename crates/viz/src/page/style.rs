/// The page's whole style sheet.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2026;--soft:#5b6470;--line:#dfe3e8;\
--tint:#f5f7f9;--link:#1b5a94}\
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--soft:#9aa4b0;\
--line:#31373f;--tint:#1c2026;--link:#7fb8ee}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--paper);color:var(--ink);\
font:17px/1.6 Inter,system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",sans-serif}\
main{max-width:86rem;margin:0 auto;padding:3rem 1.25rem 4rem}\
header,section>p,section>ul,section>blockquote,section>h2,section>h3,nav,footer\
{max-width:46rem;margin-left:auto;margin-right:auto}\
h1{font-size:2.1rem;line-height:1.15;letter-spacing:-.02em;margin:0 0 .4rem}\
h2{font-size:1.45rem;line-height:1.25;letter-spacing:-.01em;margin:3.2rem auto .8rem;\
padding-top:1.2rem;border-top:1px solid var(--line)}\
h3{font-size:1.1rem;margin:2rem auto .5rem}\
p,ul{margin:.8rem auto}\
li{margin:.25rem 0}\
a{color:var(--link);text-decoration-thickness:1px;text-underline-offset:.15em}\
code{font:.88em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--tint);\
padding:.1em .3em;border-radius:4px}\
.subtitle{color:var(--soft);margin-top:0}\
nav{margin-top:2rem;font-size:.95rem}\
nav ol{margin:.3rem 0;padding-left:1.4rem;columns:2 18rem;column-gap:2.6rem}\
blockquote{margin-top:1.2rem;margin-bottom:1.2rem;padding:.2rem 0 .2rem 1.1rem;\
border-left:3px solid var(--line);color:var(--soft)}\
blockquote p{margin:.3rem 0}\
blockquote cite{font-style:normal;font-size:.88rem}\
.figures{display:flex;flex-wrap:wrap;justify-content:center;gap:1.5rem;margin:1.8rem 0}\
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));justify-items:center}\
figure{margin:0;max-width:100%}\
figure>a{display:block;overflow-x:auto}\
figure img{display:block;max-width:100%;min-width:var(--least,0);height:auto;object-fit:cover;object-position:top;\
margin:0 auto;background:#fff;border:1px solid var(--line);border-radius:8px}\
figcaption{max-width:46rem;margin:.6rem auto 0;color:var(--soft);font-size:.9rem;line-height:1.45}\
.table{max-width:76rem;margin:1.8rem auto}\
.table figcaption{margin:0 auto .6rem}\
.scroll{overflow-x:auto}\
table{margin:0 auto;border-collapse:collapse;font-size:.93rem;line-height:1.4;font-variant-numeric:tabular-nums}\
th,td{padding:.42rem .8rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}\
thead th{border-bottom:2px solid var(--line);font-weight:600;vertical-align:bottom}\
th .unit{display:block;font-weight:400;color:var(--soft);font-size:.85em}\
td.number,th.number{text-align:right}td.number,td:first-child{white-space:nowrap}\
td .interval{display:block;color:var(--soft);font-size:.9em}\
.statements table{width:100%;font-size:.88rem}\
.statements th,.statements td{padding:.6rem .7rem}\
.statements td{min-width:5.5rem;overflow-wrap:break-word}\
.statements td:first-child{min-width:0;white-space:nowrap;color:var(--soft)}\
.statements td em{font-style:normal;color:var(--soft)}\
.verdict{display:inline-block;padding:.05rem .6rem;border-radius:1rem;font-size:.85rem;\
font-weight:600;white-space:nowrap}\
.supported{background:#d9f0e0;color:#145a2c}.refuted{background:#fbdcd5;color:#8f1a01}\
.mixed{background:#ffeccb;color:#7a4d00}.undecided{background:#e4e7eb;color:#414a55}\
footer{margin-top:3.5rem;padding-top:1rem;border-top:1px solid var(--line);\
color:var(--soft);font-size:.88rem}\
@media screen and (max-width:56rem){.statements table,.statements tbody,.statements tr,.statements td{display:block}\
.statements thead{display:none}\
.statements tr{border:1px solid var(--line);border-radius:8px;padding:.5rem .9rem;margin:0 0 1rem}\
.statements td{border:0;padding:.25rem 0;min-width:0;text-align:left}\
.statements td:first-child{white-space:normal}\
.statements td[data-label]::before{content:attr(data-label);display:block;color:var(--soft);font-size:.8rem;\
text-transform:uppercase;letter-spacing:.05em}}\
@media (max-width:34rem){body{font-size:16px}main{padding:1.6rem 1rem 3rem}h1{font-size:1.7rem}\
h2{font-size:1.3rem}.scroll{margin:0 -1rem;padding:0 1rem}}\
@page{margin:16mm}\
@media print{:root{color-scheme:light;--paper:#fff;--ink:#000;--soft:#444;--line:#bbb;\
--tint:#f5f5f5;--link:#000}body{font-size:10.5pt}main{max-width:none;padding:0}nav{display:none}\
h2,h3{break-after:avoid}figure:not(.table),tr,blockquote{break-inside:avoid}\
figcaption{break-after:avoid}.row{grid-template-columns:repeat(auto-fit,minmax(10rem,1fr))}figure>a{overflow:visible}figure img{min-width:0;width:auto;max-height:200mm}\
.scroll{overflow:visible}table{font-size:8.5pt}th,td{padding:.3rem .45rem}\
td.number,td:first-child{white-space:normal}.statements table{font-size:8pt}\
.verdict{border:1px solid currentColor}}";
