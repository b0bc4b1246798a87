use super::*;
use crate::pdf::lex::Lexer;

/// Hashes, keys and proofs of files that qpdf and pyHanko made are in `tests/vectors/veiled`; these are the rules.
#[test]
fn only_one_reading_of_the_dictionary_is_taken() {
    let way = |text: &str| {
        let object = Lexer::at(text.as_bytes(), 0).object().unwrap();
        Way::of(object.dict().unwrap()).map(|way| (way.length, way.cipher))
    };
    let (rc4, aes128, aes256) = (Some(Cipher::Rc4), Some(Cipher::Aes128), Some(Cipher::Aes256));
    let f = "/StmF/StdCF/StrF/StdCF/CF<</StdCF<<";
    for (text, wanted) in [
        ("<</V 1/R 2>>".into(), Some((5, rc4))),
        ("<</V 1/R 3>>".into(), Some((5, rc4))),
        ("<</V 2/R 3>>".into(), Some((5, rc4))),
        ("<</V 2/R 3/Length 128>>".into(), Some((16, rc4))),
        ("<</V 2/R 3/Length 256>>".into(), None),
        ("<</V 2/R 3/Length 44>>".into(), None),
        ("<</V 2/R 3/Length -128>>".into(), None),
        ("<</V 2/R 4>>".into(), None),
        ("<</V 3/R 3>>".into(), None),
        ("<</V 6/R 7>>".into(), None),
        ("<</V 2/R 3/EncryptMetadata false>>".into(), None),
        ("<</V 2/R 3/StmF/Identity>>".into(), None),
        ("<</R 3>>".into(), None),
        (format!("<</V 4/R 4{f}/CFM/V2>>>>>>"), Some((16, rc4))),
        (format!("<</V 4/R 4/Length 128{f}/CFM/AESV2/Length 16/AuthEvent/DocOpen>>>>>>"), Some((16, aes128))),
        (format!("<</V 5/R 6/Length 256{f}/CFM/AESV3/Length 256>>>>>>"), Some((32, aes256))),
        (format!("<</V 5/R 5{f}/CFM/AESV3/Length 32>>>>>>"), Some((32, aes256))),
        ("<</V 4/R 4>>".into(), Some((16, None))),
        ("<</V 4/R 4/StmF/Identity/StrF/Identity/CF<<>>>>".into(), Some((16, None))),
        // Another length, another moment, another cipher, or none.
        (format!("<</V 4/R 4/Length 40{f}/CFM/AESV2>>>>>>"), None),
        (format!("<</V 4/R 4{f}/CFM/AESV2/Length 5>>>>>>"), None),
        (format!("<</V 4/R 4{f}/CFM/AESV2/AuthEvent/EFOpen>>>>>>"), None),
        (format!("<</V 4/R 4{f}/CFM/AESV3>>>>>>"), None),
        (format!("<</V 5/R 6{f}/CFM/AESV2>>>>>>"), None),
        (format!("<</V 4/R 4{f}/CFM/None>>>>>>"), None),
        (format!("<</V 4/R 4{f}>>>>>>"), None),
        // Strings in one way and streams, attached files or what is called /Identity in another.
        ("<</V 4/R 4/StmF/StdCF/CF<</StdCF<</CFM/AESV2>>>>>>".into(), None),
        ("<</V 4/R 4/StmF/Identity/StrF/StdCF/CF<</StdCF<</CFM/AESV2>>>>>>".into(), None),
        (format!("<</V 4/R 4/EFF/Identity{f}/CFM/AESV2>>>>>>"), None),
        (format!("<</V 4/R 4/EFF/StdCF{f}/CFM/AESV2>>>>>>"), Some((16, aes128))),
        ("<</V 4/R 4/EFF/StdCF/CF<</StdCF<</CFM/AESV2>>>>>>".into(), None),
        (format!("<</V 4/R 4{f}/CFM/AESV2>>/Identity<</CFM/AESV2>>>>>>"), None),
        ("<</V 4/R 4/StmF/A/StrF/B/CF<</A<</CFM/AESV2>>/B<</CFM/AESV2>>>>>>".into(), None),
    ] {
        assert_eq!(way(&text), wanted, "{text}");
    }
}

#[test]
fn data_that_the_cipher_cannot_have_made_are_refused() {
    let key = [7; 16];
    assert_eq!(Cipher::Aes128.open(&key, b"").unwrap(), b"");
    for length in [1, 15, 16, 17, 31, 33] {
        assert!(Cipher::Aes128.open(&key, &vec![0; length]).is_err(), "{length}");
    }
    // What stands behind the start value decrypts to something, but not to padding.
    assert!(Cipher::Aes128.open(&key, &[0; 32]).is_err());
    let iv = [9u8; 16];
    for (plain, whole) in [(&b"yinxin\n\n\n\n\n\n\n\n\n\n"[..], true), (b"yinxin\x09\n\n\n\n\n\n\n\n\n", false)] {
        let closed = cipher::cbc_close(&key, &iv, plain.to_vec()).unwrap();
        let opened = Cipher::Aes128.open(&key, &[&iv[..], &closed].concat());
        assert_eq!(opened.ok().as_deref(), whole.then_some(&b"yinxin"[..]));
    }
    assert_eq!(Cipher::Rc4.open(&[1], b"").unwrap(), b"");
}

#[test]
fn the_value_of_a_signature_is_left_and_every_other_string_is_not() {
    let text = "<</V<</Contents<0102>/ByteRange[0 1 2 3]/M(x)/Reason[(y)<</Contents(z)>>]>>/T(t)/N 1>>";
    let object = Lexer::at(text.as_bytes(), 0).object().unwrap();
    let opened = strings(&object, &|string| Ok([b"+", string].concat())).unwrap().unwrap();
    let wanted = "<</V<</Contents<0102>/ByteRange[0 1 2 3]/M(+x)/Reason[(+y)<</Contents(+z)>>]>>/T(+t)/N 1>>";
    assert_eq!(opened, Lexer::at(wanted.as_bytes(), 0).object().unwrap());
    // Bytes are pointed at where they lie.
    let place = |object: &Object| object.dict().unwrap().entry(b"T").unwrap().span.clone();
    assert_eq!(place(&opened), place(&object));
    let plain = Lexer::at(b"<</A[1 2 0 R/B]/C<</D null>>>>", 0).object().unwrap();
    assert_eq!(strings(&plain, &|_| panic!("there is no string")).unwrap(), None);
}
