import HTTP
import PostgresFormat
import Synchronization
import System

/// Finds credentials as every tool of AWS does, and fetches them again before they end.
///
/// ```
/// 1  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
/// 2  web identity: AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN        from STS
/// 3  the profile of the configuration files
/// 4  AWS_CONTAINER_CREDENTIALS_FULL_URI, …_RELATIVE_URI             from the container's host
/// 5  the machine's role                                            from instance metadata, version 2
/// ```
///
/// The first that there is decides; if it fails, no other is tried. Once there are credentials, the
/// process dumps no core.
final class CredentialSource: Sendable {
  private let settings: AWSSettings
  private let known = Mutex<Credentials?>(nil)

  /// How long before their end credentials are fetched again.
  private static let margin = 300

  /// Where to look is known from the settings; nothing is looked up yet.
  init(_ settings: AWSSettings) { self.settings = settings }

  /// Credentials that are valid now.
  ///
  /// Throws `.credentialsMissing` if there are none, `.credentialsRefused` if a service refuses to
  /// give them, and what reading a file or asking a server throws.
  func current() throws(Failure) -> Credentials {
    try known.withLock { known throws(Failure) in
      if let known, !Self.isOver(known, in: Self.margin) { return known }
      do throws(Failure) {
        let found = try find()
        known = found
        return found
      } catch {
        // They may be given out again before these end.
        guard let known, !Self.isOver(known, in: 0) else { throw error }
        return known
      }
    }
  }

  /// Has them fetched again: a store says that they have expired.
  func forget() { known.withLock { $0 = nil } }

  private static func isOver(_ credentials: Credentials, in seconds: Int) -> Bool {
    credentials.end.map { $0.seconds - seconds <= UTCTime.now.seconds } ?? false
  }

  private func find() throws(Failure) -> Credentials {
    SystemCalls.forbidCoreDumps()
    if let found = try environment() { return found }
    if let file = settings["AWS_WEB_IDENTITY_TOKEN_FILE"] {
      guard let role = settings["AWS_ROLE_ARN"] else {
        throw Self.halfSet("AWS_WEB_IDENTITY_TOKEN_FILE", without: "AWS_ROLE_ARN")
      }
      return try WebIdentity(settings).credentials(tokenFile: file, role: role)
    }
    if let found = try profile() { return found }
    if let found = try ContainerCredentials(settings).credentials() { return found }
    if let found = try InstanceMetadata(settings).credentials() { return found }
    throw Failure(
      .credentialsMissing, "no credentials for the object store",
      hint: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with AWS_PROFILE."
    )
  }

  private func environment() throws(Failure) -> Credentials? {
    let names = (id: "AWS_ACCESS_KEY_ID", key: "AWS_SECRET_ACCESS_KEY")
    switch (settings[names.id], settings[names.key]) {
    case (let id?, let key?):
      return Credentials(
        keyID: id, secretKey: Secret(key),
        sessionToken: settings["AWS_SESSION_TOKEN"].map { Secret($0) })
    case (_?, nil): throw Self.halfSet(names.id, without: names.key)
    case (nil, _?): throw Self.halfSet(names.key, without: names.id)
    case (nil, nil): return nil
    }
  }

  /// The error of one of two variables that belong together.
  private static func halfSet(_ name: String, without other: String) -> Failure {
    Failure(
      .credentialsMissing, "\(name) is set, but \(other) is not", hint: "Set both, or neither.")
  }

  /// Ways to credentials that a profile may have and this program does not know.
  private static let unknownWays = [
    "sso_session", "sso_start_url", "credential_process", "source_profile", "credential_source",
  ]

  private func profile() throws(Failure) -> Credentials? {
    let profile = settings.profile
    if let id = profile["aws_access_key_id"], let key = profile["aws_secret_access_key"] {
      return Credentials(
        keyID: id, secretKey: Secret(key),
        sessionToken: profile["aws_session_token"].map { Secret($0) })
    }
    if let file = profile["web_identity_token_file"], let role = profile["role_arn"] {
      return try WebIdentity(settings).credentials(tokenFile: file, role: role)
    }
    guard let way = Self.unknownWays.first(where: { profile[$0] != nil }) else { return nil }
    throw Failure(
      .credentialsMissing,
      "profile \(profile.name.quoted) has \(way.quoted), which is not supported",
      hint: "Let AWS's own tool fetch the credentials first: "
        + "eval \"$(aws configure export-credentials --profile \(profile.name) --format env)\".")
  }
}
