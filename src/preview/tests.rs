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
    let large = vec![0; limits::PREVIEW_PDF_BYTES + 1];
    assert!(matches!(Previewer::new("/bin/cat".into()).draw(&large, &[]), Err(NotDrawn::TooLarge)));
}
