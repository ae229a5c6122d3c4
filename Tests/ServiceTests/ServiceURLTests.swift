import HTTP
import System
import Testing

@testable import Service

/// URLs and tokens as people give them.
@Suite struct ServiceURLTests {
  /// Goal: what is the URL of a server is taken apart; a slash at its end does not matter.
  @Test(
    arguments: [
      ("http://127.0.0.1:1234", "http", "127.0.0.1", 1234, "http://127.0.0.1:1234"),
      ("HTTPS://storage.example/", "https", "storage.example", nil, "https://storage.example"),
      ("https://h:8/control/x//", "https", "h", 8, "https://h:8/control/x"),
      ("http://[::1]:80", "http", "[::1]", 80, "http://[::1]:80"),
      ("http://[fe80::1]", "http", "[fe80::1]", nil, "http://[fe80::1]"),
      ("http://pageserver-1.local_net", "http", "pageserver-1.local_net", nil, nil),
    ] as [(String, String, String, Int?, String?)])
  func accepted(text: String, scheme: String, host: String, port: Int?, shown: String?) throws {
    let url = try ServiceURL(text)
    #expect(url.scheme == scheme && url.host == host && url.port == port)
    #expect(url.description == shown ?? text)
  }

  /// Goal: everything else is refused, a password without showing it.
  @Test(
    arguments: [
      "", "h:1", "ftp://h", "http://", "http://:1", "http://h:0", "http://h:65536", "http://h:x",
      "http://h?q", "http://h/#f", "http://h /", "http://h\n", "http://[::1",
      "http://user:geheim@h",
      "http://h\"x", "http://h:1:2", "http://[::1]x:1",
    ])
  func refused(text: String) {
    let failure = #expect(throws: Failure.self) { try ServiceURL(text) }
    #expect(failure?.code == .badOption)
    #expect(failure?.message.contains("geheim") == false)
  }

  /// Goal: what a server names is called in the same way as that, never without TLS after it.
  @Test func likeAnother() throws {
    let (plain, safe) = (try ServiceURL("http://c:1"), try ServiceURL("https://c:1/x"))
    func url(_ other: ServiceURL, _ port: Int?, _ securePort: Int?) throws -> String {
      try ServiceURL(host: "p", port: port, securePort: securePort, likeThat: other).description
    }
    #expect(try url(plain, 2, nil) == "http://p:2")
    #expect(try url(plain, 2, 3) == "http://p:2")
    #expect(try url(safe, 2, 3) == "https://p:3")
    #expect(throws: Failure.self) { try url(safe, 2, nil) }
    #expect(throws: Failure.self) { try url(plain, nil, 3) }
    // What is wrong there is not the command line.
    for (host, port) in [("p/x", 2), ("u@p", 2), ("p", 65536)] {
      let failure = #expect(throws: Failure.self) {
        try ServiceURL(host: host, port: port, securePort: nil, likeThat: plain)
      }
      #expect(failure?.code == .serviceFailed)
    }
    let address = try ServiceURL(host: "::1", port: 2, securePort: nil, likeThat: plain)
    #expect(address.description == "http://[::1]:2")
  }

  /// Goal: a token is taken without the line feed after it, and never printed; what cannot be one is
  /// refused without showing it.
  @Test func tokens() throws {
    let token = try ServiceOptions.Token(" abc.DEF-1_2~3+4/5==\n", from: .file("/t"))
    #expect(token.secret.revealed == "abc.DEF-1_2~3+4/5==")
    #expect(!"\(token)".contains("abc"))
    for text in ["", "\n", "Bearer geheim", "geheim\"", "geheim\nb", "gehe\u{ED}m"] {
      let failure = #expect(throws: Failure.self) {
        try ServiceOptions.Token(text, from: .variable("V"))
      }
      #expect(failure?.code == .badOption && failure?.message.contains("gehe") == false)
    }
  }
}
