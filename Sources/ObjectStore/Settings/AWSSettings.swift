import PostgresFormat
import System

/// What the command line, the environment and AWS's configuration files say of a store, in this
/// order of precedence.
struct AWSSettings: Sendable {
  typealias Variables = @Sendable (_ name: String) -> String?

  /// The service's URL; nil for AWS's own.
  let endpointURL: String?
  /// The region to sign for.
  let region: String
  /// Certificates of authorities to trust; nil for the system's.
  let caBundle: String?
  /// The chosen profile of the configuration files.
  let profile: AWSProfile
  /// Where STS is; nil for AWS's own of the region.
  let tokenServiceURL: String?
  private let variables: Variables

  /// What every tool of AWS takes for want of a region.
  private static let usualRegion = "us-east-1"

  /// Reads the configuration files; throws `.cannotOpen` if one cannot be read, or has not the
  /// profile that `AWS_PROFILE` names.
  init(
    _ options: StoreOptions, variables: @escaping Variables = { Environment[$0] }
  ) throws(Failure) {
    self.variables = variables
    let profile = try AWSProfile(variables)
    self.profile = profile
    func first(_ names: String...) -> String? {
      for name in names { if let value = Self.value(name, variables) { return value } }
      return nil
    }
    let shared = first("AWS_ENDPOINT_URL")
    endpointURL =
      options.endpointURL ?? first("AWS_ENDPOINT_URL_S3") ?? shared
      ?? profile["endpoint_url"]
    tokenServiceURL = first("AWS_ENDPOINT_URL_STS") ?? shared
    region =
      options.region ?? first("AWS_REGION", "AWS_DEFAULT_REGION") ?? profile["region"]
      ?? Self.usualRegion
    caBundle = options.caBundle ?? first("AWS_CA_BUNDLE") ?? profile["ca_bundle"]
    // It becomes a part of a host's name.
    guard region.utf8.allSatisfy({ $0 == 0x2D || $0 == 0x5F || Self.isAlphanumeric($0) }) else {
      throw Failure(
        .badOption, "the region \(region.quoted) is not the name of one",
        hint: "Give the region of the bucket with '--region', such as 'eu-central-1'.")
    }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte)
  }

  /// A variable's value; nil if it is not set, or is empty.
  subscript(variable: String) -> String? { Self.value(variable, variables) }

  fileprivate static func value(_ name: String, _ variables: Variables) -> String? {
    variables(name).flatMap { $0.isEmpty ? nil : $0 }
  }
}

/// A profile of the files that `aws configure` writes.
struct AWSProfile: Sendable {
  /// Its name.
  let name: String
  private var values: [String: String] = [:]

  /// The longest file that is read.
  private static let byteCountLimit = 1 << 20

  /// Reads the profile that `AWS_PROFILE` names, or `default`, which need not exist.
  ///
  /// What both files have of it, the credentials' file decides. (AWS, "Configuration and credential
  /// file settings")
  init(_ variables: AWSSettings.Variables) throws(Failure) {
    let chosen = AWSSettings.value("AWS_PROFILE", variables)
    name = chosen ?? "default"
    let home = variables("HOME") ?? ""
    let files = [
      (variable: "AWS_CONFIG_FILE", usual: "config", prefix: "profile "),
      ("AWS_SHARED_CREDENTIALS_FILE", "credentials", ""),
    ]
    var isFound = false
    for (variable, usual, prefix) in files {
      let path = AWSSettings.value(variable, variables) ?? home + "/.aws/" + usual
      guard SystemCalls.exists(path) else { continue }
      let bytes = try SystemCalls.contents(
        of: path, limit: Self.byteCountLimit, followsLink: true)
      let text = String(decoding: bytes, as: UTF8.self)
      if let found = Self.section([prefix + name, name == "default" ? name : nil], in: text) {
        isFound = true
        values.merge(found) { $1 }
      }
    }
    guard isFound || chosen == nil else {
      throw Failure(
        .credentialsMissing, "there is no profile \(name.quoted), which AWS_PROFILE names",
        hint: "'aws configure list-profiles' lists those that exist.")
    }
  }

  /// A setting of the profile; nil if it is not there, or is empty.
  subscript(setting: String) -> String? { values[setting].flatMap { $0.isEmpty ? nil : $0 } }

  /// The settings of the section with one of these names; nil if there is none.
  ///
  /// Lines that begin with a space belong to a setting of several lines, and are passed over.
  static func section(_ names: [String?], in text: String) -> [String: String]? {
    var values: [String: String]?
    var isInside = false
    for line in text.split(whereSeparator: \.isNewline) {
      let word = line.trimmed
      if word.hasPrefix("[") {
        let name = word.dropFirst().prefix { $0 != "]" }
          .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        isInside = names.contains(name)
        if isInside && values == nil { values = [:] }
      } else if isInside, let first = line.first, !first.isWhitespace, !"#;".contains(first),
        let mark = line.firstIndex(of: "=")
      {
        values?[line[..<mark].trimmed.lowercased()] = line[line.index(after: mark)...].trimmed
      }
    }
    return values
  }
}

extension StringProtocol {
  /// The text without white space around it.
  var trimmed: String {
    var text = self[...]
    while text.first?.isWhitespace == true { text = text.dropFirst() }
    while text.last?.isWhitespace == true { text = text.dropLast() }
    return String(text)
  }
}
