"""What others may write to harm whoever reads it at a terminal.

TABLE is a list of (family, bytes): control characters and sequences that a
terminal obeys, in all forms in which they can come.  Some bytes are no UTF-8.

HIDDEN is a list of the same form: characters that a terminal does not obey, but
that it does not show either, so that what is copied is not what was seen.
"""

ESC = b"\x1b"


def utf8(code):
    return chr(code).encode()


def hexadecimal(text):
    return text.encode().hex().encode()


# How the five kinds of strings to a terminal begin: 7-bit, C1 in UTF-8, C1 as a byte.
STARTS = {letter: (ESC + letter, utf8(0x40 + letter[0]), bytes([0x40 + letter[0]]))
          for letter in (b"P", b"X", b"]", b"^", b"_")}
CSI = (ESC + b"[", utf8(0x9b), b"\x9b")
ENDS = (b"\x07", ESC + b"\\", utf8(0x9c), b"\x9c")


def string(letter, body):
    """In each form of its start, with each end, and with none."""
    starts = STARTS[letter]
    return [starts[0] + body + end for end in ENDS] + \
           [starts[1] + body + ENDS[2], starts[2] + body + ENDS[3], starts[1] + body + ENDS[0],
            starts[2] + body + ENDS[1], starts[0] + body]


def csi(*bodies):
    return [start + body for body in bodies for start in CSI]


def controls():
    yield "C0 controls and DEL", [bytes([c]) for c in [*range(0x20), 0x7f]]
    yield "C1 controls as bytes", [bytes([c]) for c in range(0x80, 0xa0)]
    yield "C1 controls in UTF-8", [utf8(c) for c in range(0x80, 0xa0)]


def escapes():
    # RIS, DECSC, DECKPAM, SS2, SS3, IND, RI, … : with nothing between, all that there are.
    yield "ESC and a final byte", [ESC + bytes([c]) for c in range(0x30, 0x7f)]
    yield "character sets and other ESC sequences with an intermediate", [
        *(ESC + slot + charset for slot in (b"(", b")", b"*", b"+") for charset in (b"0", b"A", b"<")),
        ESC + b"-A", ESC + b".A", ESC + b"/A", ESC + b"%G", ESC + b"%@", ESC + b"#8", ESC + b"#3",
        ESC + b"#6", ESC + b" F", ESC + b" G", ESC + b"(0lqqk" + ESC + b"(B",
        b"\x0elqqk\x0f", ESC + b")0\x0exx\x0f", ESC + b"nxx" + ESC + b"o", utf8(0x8e) + b"a",
        b"\x8f" + b"a"]
    yield "CSI and each final byte", [
        ESC + b"[2" + bytes([c]) for c in range(0x40, 0x7f)]
    yield "CSI in its 8-bit forms", csi(b"2J", b"H", b"31m", b"5;5H", b"6n")
    yield "CSI with many parameters and intermediates", csi(
        b"", b"38;2;1;2;3m", b"4:3m", b"38:2::1:2:3m", b";;;m", b"99999999999999999999A",
        b"1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1m", b"2 q", b"!p", b"62;1\"p", b"1\"q", b">4;2m",
        b"1;1;5;5;1;1;1;1$v", b"65;1;1;5;5$x", b"3;4r", b"10;20s", b"u", b"4i", b"5i",
        b"?5i", b"8;10;10t", b"3;0;0t", b"22;0t", b"23;0t", b"2;3'z", b"1 @", b"b") + [
        b"A" + ESC + b"[9b", b"\x1b[3\x1b[4m", b"\x1b[3\x08\x0a1m", b"\x1b[3\x1831m", b"\x1b[\x1a31m",
        b"\x1b\x1b[31m", b"\x1b", b"\x1b[1;", b"\x1b[?", b"\x1b\x7f[31m", b"\x1b[31\x9cm"]
    yield "modes", [
        ESC + b"[" + mode + final
        for mode in (b"?1049", b"?47", b"?1047", b"?2004", b"?1000", b"?1002", b"?1003", b"?1004",
                     b"?1005", b"?1006", b"?1015", b"?25", b"?7", b"?5", b"?1", b"?3", b"?6", b"?66",
                     b"?67", b"?69", b"?9001", b"?2026", b"?1;25;1049", b"2", b"4", b"12", b"20")
        for final in (b"h", b"l")]


def strings():
    osc = [b"0;title", b"1;icon", b"2;title", b"4;1;rgb:ff/00/00", b"7;file://host/etc",
           b"8;;http://evil.example/", b"9;notice", b"9;4;1;50", b"10;#000000", b"11;#000000",
           b"12;#000000", b"22;pointer", b"50;font", b"52;c;cm0gLXJmIH4=", b"52;p;!", b"104",
           b"110", b"133;A", b"133;C;cmdline=x", b"633;E;ls", b"777;notify;a;b", b"99;i=1;text",
           b"1337;SetUserVar=a=Yg==", b"1337;File=name=eA==;inline=1:AAAA", b"1337;CursorShape=1",
           b"", b"L;x", b"999999999999;x"]
    yield "OSC", [s for body in osc for s in string(b"]", body)]
    yield "OSC 8 links around a text", [
        start + b"8;;http://evil.example/" + end + b"http://good.example/" + start + b"8;;" + end
        for start, end in ((ESC + b"]", ENDS[0]), (ESC + b"]", ENDS[1]), (utf8(0x9d), ENDS[2]),
                           (b"\x9d", ENDS[3]))]
    dcs = [b"q#0;2;0;0;0#0~~$-~~", b"0;0;8q\"1;1;9;9#1~-", b"$qm", b"$q q", b"+q" + hexadecimal("TN"),
           b"+p" + hexadecimal("xterm"), b"0;1|17/636d64", b"1$t1;1", b"2$p1;1", b"=1s", b"1000p%begin",
           b"tmux;\x1b\x1b]0;title\x07", b"\x1b]0;title\x07"]
    yield "DCS", [s for body in dcs for s in string(b"P", body)]
    yield "APC", [s for body in (b"Ga=T,f=24,s=1,v=1;AAAA", b"Ga=d", b"Gi=1,a=q;AAAA", b"text")
                  for s in string(b"_", body)]
    yield "PM", string(b"^", b"message")
    yield "SOS", string(b"X", b"message")
    yield "titles in the manner of screen", [ESC + b"ktitle" + end for end in ENDS]


def answers():
    yield "queries that a terminal answers", csi(
        b"c", b"0c", b">c", b"=c", b"5n", b"6n", b"?6n", b"?15n", b"?25n", b"?26n", b"?62n", b"?996n",
        b"?1$p", b"?2004$p", b"4$p", b"11t", b"13t", b"14t", b"16t", b"18t", b"19t", b"20t", b"21t",
        b"x", b"1x", b">q", b"?u", b"?4m", b"1;1;1;1;1;1*y") + [ESC + b"Z", utf8(0x9a), b"\x9a", b"\x05"]
    yield "queries in strings", [
        s for letter, body in ((b"]", b"10;?"), (b"]", b"11;?"), (b"]", b"4;0;?"), (b"]", b"52;c;?"),
                               (b"]", b"50;?"), (b"]", b"1337;ReportCellSize"), (b"P", b"$qr"),
                               (b"P", b"+q" + hexadecimal("Co")))
        for s in string(letter, body)]
    yield "ends of a bracketed paste", csi(b"200~", b"201~") + [
        ESC + b"[201~; rm -rf ~\r" + ESC + b"[200~", ESC + b"[201~\n", b"\r; rm -rf ~ #\r"]


def tricks():
    yield "carriage returns", [
        b"rm -rf ~\rls      ", b"\r", b"\r\r", b"\r\n", b"\r\r\n", b"\n\r", b"\r\x1b[K", b"a\r\nb\rc",
        b"a\r\x1b[2Kb", b"\r\x00\n", b"\r\xff", b"\r\xc2\x9b", b"\r\x0b", b"\r\t", b"\x0d\x0c\x0a"]
    yield "backspaces, overprinting, rubouts", [
        b"rm\b\bls", b"a\b \b", b"_\bA", b"A\bA", b"\b" * 20 + b"x", b"abc\x7f\x7f\x7fx", b"\x08\x1b[P",
        b"\x0b\x0c", b"\x00" * 3, b"\x07" * 3, b"\t\b\b", b"\xe6\xbc\xa2\b\bX"]
    yield "bidirectional controls", [
        utf8(c) for c in (0x061c, 0x200e, 0x200f, *range(0x202a, 0x202f), *range(0x2066, 0x206a))]
    yield "bidirectional controls in use", [s.encode() for s in (
        "\u202egnp.exe", "a\u202ecba\u202cd", "if (x \u2066/* \u2069\u2066) { // */", "\u202d\u202e",
        "\u200fgpj.sh\u200e", "\u2067\u2066\u2069\u2069", "\u05d0\u202a\u05d1\u202c", "\u061c12-34")]


def malformed():
    # ESC, CSI, OSC, NUL, LF and U+202E in more bytes than they need.
    yield "overlong UTF-8", [
        b"\xc0\x9b[2J", b"\xe0\x80\x9b[2J", b"\xf0\x80\x80\x9b[2J", b"\xf8\x80\x80\x80\x9b[2J",
        b"\xfc\x80\x80\x80\x80\x9b[2J", b"\xe0\x82\x9b" b"2J", b"\xf0\x80\x82\x9b" b"2J",
        b"\xe0\x82\x9d" b"0;t\x07", b"\xc0\x80", b"\xe0\x80\x80", b"\xc0\x8a", b"\xc0\x8d", b"\xc1\xbf",
        b"\xf0\x82\x80\xae", b"\xf8\x80\x82\x80\xae", b"\xc0\xaf", b"\xc1\x9b"]
    yield "broken UTF-8", [
        *(bytes([c]) for c in (0xa0, 0xbf, 0xc0, 0xc1, 0xf5, 0xf8, 0xfc, 0xfe, 0xff)),
        b"\xc2", b"\xe2", b"\xe2\x80", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98", b"\xfe\xff", b"\xff\xfe\x1b\x00",
        b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xf7\xbf\xbf\xbf",
        b"\xe2\x80\x80\x80\xae", b"\xe6\xbc", b"\xe6\xbc\xa2\xa2"]
    yield "controls within a broken character", [
        lead + control for lead in (b"\xc2", b"\xe2", b"\xe2\x80", b"\xf0\x9f", b"\xf0\x9f\x98", b"\xc0", b"\xff")
        for control in (b"\x1b[2J", b"\x9b" b"2J\x9c", b"\xc2\x9b" b"2J", b"\x07", b"\r", b"\r\n",
                        b"\xe2\x80\xae", b"\x7f")]


def harmless():
    # It must arrive: é has no C1 in it, and Û is C3 9B.
    yield "text of the world", [s.encode() for s in (
        "é", "Û", "ß\u00a0Ü", "漢字", "日本語、テスト", "Ελληνικά", "русский", "עברית", "العربية", "हिन्दी",
        "한국어", "ไทย", "😀", "👩\u200d👩\u200d👧", "❤\ufe0f", "e\u0301", "می\u200cخواهم", "🇩🇪", "“quotes”…",
        "∀x∈ℝ", "𝔘𝔫𝔦", "─│┌", "a\tb", "two\nlines", "x\u00adx", "ﬁ", "\ufffd")]


def hidden():
    tags = "".join(chr(0xe0000 + ord(c)) for c in "rm -rf")
    yield "characters of no width that split words", [s.encode() for s in (
        "\u200b", "\u2060", "\ufeff", "\u180e", "good\u200b.example", "r\ufeffm", "a\u2060b")]
    yield "line and paragraph separators", [s.encode() for s in ("\u2028", "\u2029", "a\u2028b")]
    yield "invisible operators, deprecated and annotation characters", [
        utf8(c) for c in (*range(0x2061, 0x2065), *range(0x206a, 0x2070), *range(0xfff9, 0xfffc))]
    yield "tags", [utf8(c) for c in (0xe0001, *range(0xe0020, 0xe0080))] + [tags.encode()]


def table(*parts):
    families = {}
    for part in parts:
        for family, sequences in part():
            for sequence in sequences:
                families.setdefault(sequence, family)  # each once
    return [(family, sequence) for sequence, family in families.items()]


TABLE = table(controls, escapes, strings, answers, tricks, malformed, harmless)
HIDDEN = table(hidden)
