import Foundation
import TestSupport
import Testing

/// A real server of object storage or of credentials, which ends with this process.
final class StoreServer: Sendable {
  /// The servers that there are: the scripts of `Tests/Servers`.
  enum Kind: String, CaseIterable {
    /// Ceph's radosgw: strict about signatures and hashes.
    case ceph
    /// The JuiceFS gateway, which has MinIO's way with S3.
    case juicefs
    /// The same without ETags.
    case juicefsUntagged = "juicefs untagged"
    /// moto: instance metadata, and STS.
    case moto
    /// moto with a certificate of an authority of its own.
    case motoTLS = "moto tls"
  }

  let url: String
  /// The certificate of the server's authority, if it has one.
  var authority: String { directory.path + "/server/authority.pem" }
  /// The environment that programs are run with.
  var environment: [String: String] {
    TestStore.environment(url, keyID: "testkey0", secretKey: "testsecret0")
  }

  private static let ceph = Task { try StoreServer(.ceph) }
  private static let juicefs = Task { try StoreServer(.juicefs) }
  private static let juicefsUntagged = Task { try StoreServer(.juicefsUntagged) }
  private static let moto = Task { try StoreServer(.moto) }
  private static let motoTLS = Task { try StoreServer(.motoTLS) }

  /// The server of this kind, which all tests share; started when it is first asked for.
  static func shared(_ kind: Kind) async throws -> StoreServer {
    switch kind {
    case .ceph: try await ceph.value
    case .juicefs: try await juicefs.value
    case .juicefsUntagged: try await juicefsUntagged.value
    case .moto: try await moto.value
    case .motoTLS: try await motoTLS.value
    }
  }

  private static let scripts = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Servers")

  /// Whether what `make deps` and `make stores` install is there.
  static let areInstalled =
    FileManager.default.isExecutableFile(atPath: "/usr/bin/radosgw")
    && FileManager.default.fileExists(
      atPath: scripts.appending(path: "../../.build/stores/packages").path)

  private let directory: TemporaryDirectory
  // The server ends when the other end of this is closed, however this process ends.
  private let input: Pipe

  private init(_ kind: Kind) throws {
    directory = try TemporaryDirectory()
    input = Pipe()
    let process = Process()
    let words = kind.rawValue.split(separator: " ").map(String.init)
    process.executableURL = Self.scripts.appending(path: words[0])
    process.arguments = [directory.path + "/server"] + words.dropFirst()
    process.standardInput = input
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    var text = ""
    while !text.contains("\n") {
      let bytes = output.fileHandleForReading.availableData
      guard !bytes.isEmpty else { throw StartFailure(kind: kind, directory: directory) }
      text += String(decoding: bytes, as: UTF8.self)
    }
    url = text.trimmingCharacters(in: .newlines)
  }

  /// A server did not start; its files stay as long as the error.
  struct StartFailure: Error {
    let kind: Kind
    let directory: TemporaryDirectory
  }

  /// Copies a bucket into a directory, which is made, with another program's signatures.
  func download(_ bucket: String, to directory: String) throws {
    _ = try Shell.output(
      Self.scripts.appending(path: "download").path, url, bucket, directory)
  }

  /// Copies a directory into a bucket, which is made, with another program's signatures.
  func upload(_ directory: String, to bucket: String) throws {
    _ = try Shell.output(
      Self.scripts.appending(path: "upload").path, url, bucket, directory)
  }

  /// Makes a bucket, unless it is there.
  func make(_ bucket: String) throws {
    let directory = try TemporaryDirectory(inMemory: true)
    try upload(directory.path, to: bucket)
  }
}
