//! Small pages that do what the browser must notice.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use browser::{AccessibilityRules, Browser, Look, Point, file_address};
use serde_json::json;

#[allow(clippy::print_stderr)]
fn browser() -> Option<Browser> {
    let Some(program) = Browser::installed() else {
        eprintln!("skipped: no Chromium is installed");
        return None;
    };
    Some(Browser::start(&program).expect("it starts"))
}

/// A page with this between the tags of its body.
fn written(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("a page.html");
    let head = "<!DOCTYPE html><html lang=en><meta charset=utf-8>\
                <meta name=viewport content='width=device-width, initial-scale=1'><title>A</title>";
    fs::write(&path, format!("{head}{body}")).unwrap();
    path
}

#[test]
fn a_quiet_page_is_quiet_and_each_fault_is_heard() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = browser.page(&Look::default()).unwrap();
    let faults = |body: &str| {
        let file = written(folder.path(), body);
        page.open(&file).unwrap();
        page.settle().unwrap();
        page.heard().unwrap().faults(&file_address(&file).unwrap())
    };
    let quiet = faults(
        "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs='>\
         <script>console.log('fine')</script>",
    );
    assert_eq!(quiet, [""; 0]);
    let policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; script-src 'unsafe-inline'\">";
    for (body, expected) in [
        ("<script>console.error('oh', 3, {a: 1})</script>", "oh 3"),
        ("<script>console.warn('hm')</script>", "the warning: hm"),
        ("<script>throw new Error('thrown')</script>", "thrown"),
        ("<script>Promise.reject(new Error('lost'))</script>", "lost"),
        ("<script>alert('boo')</script>", "a dialog opened: boo"),
        ("<img src=beside.png>", "asked for file:///"),
        (
            "<img src='http://127.0.0.1:9/a'>",
            "asked for http://127.0.0.1:9/a",
        ),
        (
            "<script>fetch('http://127.0.0.1:9/b').catch(() => 0)</script>",
            "http://127.0.0.1:9/b",
        ),
        (
            "<script>new WebSocket('ws://127.0.0.1:9/c')</script>",
            "ws://127.0.0.1:9/c",
        ),
        (
            &format!("{policy}<p style='color:red'>"),
            "policy: style-src",
        ),
        (
            &format!("{policy}<script>eval('1')</script>"),
            "policy: script-src",
        ),
        (
            &format!("{policy}<img src='http://127.0.0.1:9/d'>"),
            "policy: img-src",
        ),
    ] {
        let found = faults(body);
        let heard = found.iter().any(|fault| fault.contains(expected));
        assert!(heard, "{body}: {found:?}");
    }
}

#[test]
fn hands_reach_the_page() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        folder.path(),
        "<style>body { margin: 0 } div { width: 200px; height: 200px; touch-action: none }</style>
         <div></div><input id=text><script>
         const seen = [];
         const note = event => seen.push([event.type, event.pointerType, event.clientX, event.buttons].join(' '));
         const area = document.querySelector('div');
         for (const type of ['pointerdown', 'pointermove', 'pointerup']) area.addEventListener(type, note);
         area.addEventListener('wheel', event => seen.push('wheel ' + event.deltaY), {passive: true});
         document.addEventListener('keydown', event =>
           seen.push([event.key, event.code, event.shiftKey, event.target.id].join(' ')));
         const take = () => seen.splice(0);
         </script>",
    );
    let at = |x: f64| Point { x, y: 50.0 };
    let page = browser.page(&Look::default()).unwrap();
    page.open(&file).unwrap();
    let seen = || page.evaluate("take()").unwrap();
    page.drag(at(10.0), at(110.0), 2).unwrap();
    assert_eq!(
        seen(),
        json!([
            "pointermove mouse 10 0",
            "pointerdown mouse 10 1",
            "pointermove mouse 60 1",
            "pointermove mouse 110 1",
            "pointerup mouse 110 0"
        ])
    );
    page.wheel(at(10.0), 100.0).unwrap();
    page.wait_until("seen.length", Duration::from_secs(10))
        .unwrap();
    assert_eq!(seen(), json!(["wheel 100"]));
    page.press("Tab").unwrap();
    page.press("a").unwrap();
    page.press("?").unwrap();
    page.press("Shift+ArrowLeft").unwrap();
    page.type_text("µ").unwrap();
    assert_eq!(
        seen(),
        json!([
            "Tab Tab false ",
            "a KeyA false text",
            "? Slash false text",
            "ArrowLeft ArrowLeft true text"
        ])
    );
    // The left arrow has marked the last character, which the text replaces.
    assert_eq!(page.evaluate("text.value").unwrap(), "aµ");
    let place = page.place_of("#text").unwrap();
    assert!(place.y >= 200.0 && place.width > 50.0, "{place:?}");

    let page = browser.page(&Look::phone()).unwrap();
    page.open(&file).unwrap();
    page.touch_drag(at(10.0), at(110.0), 2).unwrap();
    let seen = page.evaluate("take()").unwrap();
    assert_eq!(seen[0], "pointerdown touch 10 1");
    let last = seen.as_array().unwrap().last().unwrap();
    assert_eq!(last, "pointerup touch 110 0");
    page.pinch(at(100.0), 20.0, 80.0, 3).unwrap();
    let seen = page.evaluate("take()").unwrap().to_string();
    assert!(seen.contains("pointerdown touch 90") && seen.contains("pointerdown touch 110"));
    assert!(seen.contains("pointermove touch 60") && seen.contains("pointermove touch 140"));
}

#[test]
fn a_look_is_what_the_page_sees() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "<noscript>none</noscript><p>text");
    let page = browser.page(&Look::default()).unwrap();
    page.open(&file).unwrap();
    let seen = || {
        let media = |query: &str| format!("matchMedia('({query})').matches");
        let queries = [
            "prefers-color-scheme: dark",
            "prefers-reduced-motion: reduce",
            "forced-colors: active",
            "pointer: coarse",
        ];
        let queries = queries.map(media).join(",");
        page.evaluate(&format!(
            "[innerWidth, innerHeight, devicePixelRatio, {queries}]"
        ))
        .unwrap()
    };
    assert_eq!(seen(), json!([1280, 800, 1, false, false, false, false]));
    page.look(&Look {
        dark: true,
        reduced_motion: true,
        forced_colours: true,
        ..Look::phone()
    })
    .unwrap();
    assert_eq!(seen(), json!([375, 667, 2, true, true, true, true]));
    let text = "document.body.innerText.includes('none')";
    assert_eq!(page.evaluate(text).unwrap(), false);
    page.look(&Look {
        scripts: false,
        ..Look::default()
    })
    .unwrap();
    page.reload().unwrap();
    assert_eq!(page.evaluate(text).unwrap(), true);
}

#[test]
fn files_go_in_and_come_out() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        folder.path(),
        "<input type=file><div style='height: 100px'></div>
         <a href='data:text/csv,a%2Cb' download='table.csv'>down</a><script>
         const names = [];
         document.querySelector('input').addEventListener('change', event => names.push(event.target.files[0].name));
         const area = document.querySelector('div');
         area.addEventListener('dragover', event => event.preventDefault());
         area.addEventListener('drop', event => {
           event.preventDefault();
           names.push(event.dataTransfer.files[0].name);
         });
         </script>",
    );
    let picture = folder.path().join("picture.png");
    let printed = folder.path().join("printed.pdf");
    let page = browser.page(&Look::default()).unwrap();
    page.open(&file).unwrap();
    page.screenshot(&picture).unwrap();
    page.print(&printed).unwrap();
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    assert!(fs::read(&printed).unwrap().starts_with(b"%PDF"));
    page.choose_files("input", &[&picture]).unwrap();
    page.drop_files(page.place_of("div").unwrap().middle(), &[&printed])
        .unwrap();
    page.wait_until("names.length === 2", Duration::from_secs(10))
        .unwrap();
    let names = page.evaluate("names").unwrap();
    assert_eq!(names, json!(["picture.png", "printed.pdf"]));
    page.download_into(folder.path()).unwrap();
    page.click(page.place_of("a").unwrap().middle()).unwrap();
    let table = page.downloaded(&folder.path().join("table.csv")).unwrap();
    assert_eq!(table, b"a,b");
}

#[test]
fn a_page_is_measured() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        folder.path(),
        "<script>
         let kept = null;
         function work() {
           const began = performance.now();
           let sum = 0;
           for (let i = 0; i < 2e7; i++) sum += Math.sqrt(i);
           return performance.now() - began + 0 * sum;
         }
         </script>",
    );
    let page = browser.page(&Look::default()).unwrap();
    page.open(&file).unwrap();
    let before = page.heap().unwrap();
    page.evaluate("kept = new Float64Array(1 << 20).fill(1); 0")
        .unwrap();
    let grown = page.heap().unwrap() - before;
    assert!((8 << 20..12 << 20).contains(&grown), "{grown} bytes");
    let work = || page.evaluate("work()").unwrap().as_f64().unwrap();
    // The browser holds the page up from a thread of its own, which on a busy
    // machine may itself be held up.
    let mut times = Vec::new();
    let slower = (0..10).any(|_| {
        page.throttle(1.0).unwrap();
        let plain = work();
        page.throttle(20.0).unwrap();
        let throttled = work();
        times.push((plain, throttled));
        throttled > 4.0 * plain
    });
    assert!(slower, "{times:?} ms");
}

#[test]
#[allow(clippy::print_stderr)]
fn what_keeps_people_out_is_found() {
    if std::env::var_os("EXPLORER_PAGE").is_none_or(|extent| extent != "full") {
        eprintln!("skipped: axe-core is fetched where EXPLORER_PAGE is 'full'");
        return;
    }
    let rules = match AccessibilityRules::fetch() {
        Ok(rules) => rules,
        Err(why) => {
            eprintln!("skipped: axe-core cannot be had: {why:#}");
            return;
        }
    };
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = browser.page(&Look::default()).unwrap();
    let barriers = |body: &str| {
        page.open(&written(folder.path(), body)).unwrap();
        page.barriers(&rules).unwrap()
    };
    let small = "style='display: inline-block; width: 9px; height: 9px; padding: 0'";
    let policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">";
    let none = barriers(&format!("{policy}<main><h1>A</h1><p>text</main>"));
    assert_eq!(none, [""; 0]);
    for (body, expected) in [
        ("<img src='data:,' width=9 height=9>", "image-alt"),
        (
            "<p style='color: #bbb; background: #fff'>pale",
            "color-contrast",
        ),
        (
            &format!(
                "<button {small} aria-label=a></button><button {small} aria-label=b></button>"
            ),
            "target-size",
        ),
    ] {
        let found = barriers(body);
        assert!(found[0].starts_with(expected), "{body}: {found:?}");
    }
}

#[test]
fn what_fails_or_does_not_end_is_an_error_and_the_process_goes_with_its_owner() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "<p>text");
    let page = browser.page(&Look::default()).unwrap();
    assert!(page.open(&folder.path().join("absent.html")).is_err());
    page.open(&file).unwrap();
    let thrown = page.evaluate("null.length").unwrap_err().to_string();
    assert!(thrown.contains("TypeError"), "{thrown}");
    let absent = page.place_of("#absent").unwrap_err().to_string();
    assert!(absent.contains("#absent"), "{absent}");
    assert!(page.press("Nonsense").is_err());
    let refused = page.choose_files("p", &[&file]).unwrap_err().to_string();
    assert!(refused.contains("was refused"), "{refused}");
    let short = Duration::from_millis(300);
    let never = page.wait_until("document.querySelector('#absent')", short);
    assert!(never.unwrap_err().to_string().contains("not true within"));
    // The page's thread is lost from here on.
    let began = Instant::now();
    let endless = page.evaluate_within("while (true);", short);
    assert!(endless.unwrap_err().to_string().contains("not answered"));
    assert!(began.elapsed() < Duration::from_secs(10));
    let process = PathBuf::from(format!("/proc/{}", browser.process()));
    drop(page);
    if cfg!(target_os = "linux") {
        assert!(process.exists());
        drop(browser);
        assert!(!process.exists());
    }
}

#[test]
fn what_is_no_browser_is_named() {
    let error = Browser::start(Path::new("/nonexistent/chromium")).unwrap_err();
    let said = format!("{error:#}");
    assert!(
        said.contains("/nonexistent/chromium") && said.contains("not found"),
        "{said}"
    );
}
