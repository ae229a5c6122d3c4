/// A tar in memory, which tests read, change and write again.
///
/// Reads and writes the format of GNU tar for plain files: ustar headers, long names in a member of
/// type `L`. It shares no code with the program's own reader.
public struct TestTar: Sendable {
  /// A member of the tar: its header and its contents.
  public struct Member: Sendable {
    /// The name as it is in the archive; any length.
    public var name: String
    /// The type in the header: `0` a file, `5` a directory, `2` a symbolic and `1` a hard link.
    public var type: Character
    /// The bytes of the contents.
    public var contents: [UInt8]
    /// The target of a link; empty for other types.
    public var linkTarget: String
    /// The size in the header, if it differs from the contents.
    public var claimedByteCount: UInt64?

    /// A member with this header and these contents; a plain file if no type is given.
    public init(
      _ name: String, type: Character = "0", contents: [UInt8] = [], linkTarget: String = "",
      claimedByteCount: UInt64? = nil
    ) {
      self.name = name
      self.type = type
      self.contents = contents
      self.linkTarget = linkTarget
      self.claimedByteCount = claimedByteCount
    }
  }

  /// The members in the order of the archive.
  public var members: [Member]

  /// A tar of these members.
  public init(_ members: [Member] = []) { self.members = members }

  /// Reads a tar.
  public init(decoding bytes: [UInt8]) {
    members = []
    var offset = 0
    while offset + 512 <= bytes.count, bytes[offset] != 0 {
      let header = bytes[offset..<offset + 512]
      let count = Self.octal(header, 124, 12)
      let start = offset + 512
      members.append(
        Member(
          Self.text(header, 0, 100), type: Character(UnicodeScalar(header[offset + 156])),
          contents: Array(bytes[start..<start + count]), linkTarget: Self.text(header, 157, 100)))
      offset = start + (count + 511) / 512 * 512
    }
  }

  private static func text(_ header: ArraySlice<UInt8>, _ start: Int, _ count: Int) -> String {
    let field = header.dropFirst(start).prefix(count)
    return String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func octal(_ header: ArraySlice<UInt8>, _ start: Int, _ count: Int) -> Int {
    Int(text(header, start, count).trimming(" "), radix: 8) ?? 0
  }

  /// The member with a name, with or without `./` before it.
  public subscript(_ name: String) -> Member {
    get { members[index(of: name)] }
    set { members[index(of: name)] = newValue }
  }

  private func index(of name: String) -> Int {
    guard let index = members.firstIndex(where: { $0.name == name || $0.name == "./" + name })
    else { preconditionFailure("the tar has no '\(name)'") }
    return index
  }

  /// Removes the member of this name, with or without `./`; traps if there is none.
  public mutating func remove(_ name: String) { members.remove(at: index(of: name)) }

  /// The bytes of the tar, without its end if `isComplete` is false.
  public func encoded(isComplete: Bool = true) -> [UInt8] {
    var bytes: [UInt8] = []
    for member in members { Self.encode(member, into: &bytes) }
    if isComplete { bytes += [UInt8](repeating: 0, count: 1024) }
    return bytes
  }

  private static func encode(_ member: Member, into bytes: inout [UInt8]) {
    var name = Array(member.name.utf8)
    if name.count > 100 {
      encode(Member("././@LongLink", type: "L", contents: name + [0]), into: &bytes)
      name.removeSubrange(100...)
    }
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: [UInt8], at offset: Int) {
      header.replaceSubrange(offset..<offset + text.count, with: text)
    }
    put(name, at: 0)
    put(Array("0000600".utf8), at: 100)
    put(Array("0000000".utf8), at: 108)
    put(Array("0000000".utf8), at: 116)
    put(size(member.claimedByteCount ?? UInt64(member.contents.count)), at: 124)
    put(Array("00000000000".utf8), at: 136)
    put(Array("        ".utf8), at: 148)
    header[156] = member.type.asciiValue ?? 0x30
    put(Array(member.linkTarget.utf8.prefix(100)), at: 157)
    put(Array("ustar  ".utf8), at: 257)
    let sum = header.reduce(0) { $0 + Int($1) }
    put(octal(UInt64(sum), digits: 6) + [0], at: 148)
    bytes += header + member.contents
    bytes += [UInt8](repeating: 0, count: (512 - member.contents.count % 512) % 512)
  }

  /// The size field: octal, or GNU's base 256 if that does not fit.
  private static func size(_ byteCount: UInt64) -> [UInt8] {
    if byteCount < 1 << 33 { return octal(byteCount, digits: 11) }
    return [0x80, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: byteCount >> (56 - 8 * $0)) }
  }

  private static func octal(_ number: UInt64, digits: Int) -> [UInt8] {
    let text = String(number, radix: 8)
    return Array((String(repeating: "0", count: digits - text.count) + text).utf8)
  }
}

extension String {
  fileprivate func trimming(_ character: Character) -> Substring {
    var text = self[...]
    while text.first == character { text.removeFirst() }
    while text.last == character { text.removeLast() }
    return text
  }
}
