//! Texts that others made.

use super::{plain, standard};

#[test]
fn a_page_becomes_text() {
    let page = "<html><head><title>no</title></head><body>\n<h1>Notices</h1>\n\n  <p>A &#60;a@example.org&#62;\n&amp;lt; <b>B</b></p>";
    assert_eq!(plain(page), "Notices\n  A <a@example.org>\n&lt; B");
}

#[test]
fn the_texts_of_gnu_s_licences_are_spdx_s() {
    let texts = standard("GPL-3.0-or-later WITH GCC-exception-3.1");
    let names: Vec<_> = texts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["GPL-3.0-or-later", "GCC-exception-3.1"]);
    assert!(texts[0].1.contains("GNU GENERAL PUBLIC LICENSE"));
    assert!(texts[1].1.contains("GCC RUNTIME LIBRARY EXCEPTION"));
    assert_eq!(standard("MIT"), []);
}
