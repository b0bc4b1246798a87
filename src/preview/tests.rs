use super::*;

fn says(lines: &str, states: usize) -> Option<Previews> {
    read(lines.as_bytes(), states)
}

#[test]
fn an_answer_is_read_and_one_that_is_none_is_refused() {
    let good = "{\"caged\":{\"landlock\":\"none\"}}\n{\"pages\":{\"of\":9}}\n{\"now\":{\"png\":\"QUJD\"}}\n\
        {\"same\":{\"state\":0,\"page\":0}}\n{\"differs\":{\"state\":1,\"page\":0,\"places\":2,\"then\":\"QQ==\",\"now\":null}}\n";
    let read = says(good, 2).unwrap();
    assert_eq!((read.pages, read.now.len(), read.states[0].same, read.cut), (9, 1, 1, false));
    assert_eq!((read.states[1].differing[0].page, read.states[1].differing[0].places), (1, 2));
    assert!(says(&format!("{good}\"full\"\n"), 2).unwrap().cut);
    for bad in [
        // Markup in place of a picture, a state nobody asked for, another word, no cage.
        good.replace("QUJD", "\\\"><script>"),
        good.replace("\"state\":1", "\"state\":7"),
        format!("{good}{{\"run\":1}}\n"),
        good.replace("{\"caged\":{\"landlock\":\"none\"}}\n", ""),
        good.replace("\"page\":0,\"places\"", "\"page\":600,\"places\""),
    ] {
        assert!(says(&bad, 2).is_none(), "{bad}");
    }
}

#[test]
fn pages_of_an_ofd_are_read_with_what_they_lack() {
    let good = "{\"caged\":{\"landlock\":\"none\"}}\n{\"pages\":{\"of\":9}}\n{\"omits\":{\"zh\":\"字体\",\"en\":\"a <b>font\"}}\n\
        {\"sheet\":{\"page\":7,\"seals\":[1,3],\"svg\":\"PHN2Zy8+\"}}\n{\"sheet\":{\"page\":1,\"seals\":[],\"svg\":\"PHN2Zy8+\"}}\n";
    let read = says(good, 0).unwrap();
    let shown: Vec<_> = read.now.iter().map(|page| (page.page, page.seals.as_slice(), page.media_type)).collect();
    assert_eq!(shown, [(7, &[1, 3][..], "image/svg+xml"), (1, &[][..], "image/svg+xml")]);
    assert_eq!((read.left_out.len(), read.left_out[0].en.as_str()), (1, "a <b>font"));
    for bad in [
        good.replacen("PHN2Zy8+", "<svg/>", 1),
        good.replace("\"page\":7", "\"page\":70000"),
        good.replace("字体", &"字".repeat(limits::PREVIEW_OMISSION_LETTERS + 1)),
        format!("{good}{}", "{\"omits\":{\"zh\":\"一\",\"en\":\"one\"}}\n".repeat(limits::PREVIEW_OMISSIONS)),
        format!("{good}{}", "{\"sheet\":{\"page\":2,\"seals\":[],\"svg\":\"\"}}\n".repeat(limits::PREVIEW_PAGES)),
    ] {
        assert!(says(&bad, 0).is_none(), "{bad}");
    }
}

#[test]
fn only_a_few_at_once() {
    let running = Arc::default();
    let turns: Vec<_> = (0..limits::PREVIEWS).map(|_| Turn::of(&running).unwrap()).collect();
    assert!(Turn::of(&running).is_none());
    drop(turns);
    assert!(Turn::of(&running).is_some());
}

#[test]
fn a_child_that_is_another_program_a_silent_one_and_none_are_failures() {
    let draws = |program: &str| Previewer::new(program.into()).draw(b"%PDF-", &[]);
    assert!(matches!(draws("/bin/false"), Err(NotDrawn::Failed(_))));
    assert!(matches!(draws("/bin/echo"), Err(NotDrawn::Failed(_))));
    assert!(matches!(draws("/nowhere"), Err(NotDrawn::NotStarted(_))));
    let large = vec![0; limits::PREVIEW_BYTES + 1];
    assert!(matches!(Previewer::new("/bin/cat".into()).draw(&large, &[]), Err(NotDrawn::TooLarge)));
}
