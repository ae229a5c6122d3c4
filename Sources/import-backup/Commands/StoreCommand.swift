import ObjectStore
import System

/// A command whose operand is a timeline, or holds timelines: a directory, or a place in an object
/// store.
protocol StoreCommand: Command {
  var store: StoreOptions { get set }
}

extension StoreCommand {
  static var operandsMayBeStored: Bool { true }

  /// What the help says of timelines in object stores.
  static var storeDiscussion: String {
    """
    A timeline may also be in an object store: s3://BUCKET/PREFIX. \
    Credentials are found as by AWS's own tools: environment variables, a web identity, the profile \
    that AWS_PROFILE names, the container's host, or the machine's role.
    """
  }

  /// Throws if an option says how a store is reached, and there is none.
  func requireUse(ofStoreOptionsFor place: String?) throws(Failure) {
    guard !store.isEmpty, place.map({ !StoreLocation.isMeant(by: $0) }) ?? false else { return }
    throw Failure(
      .optionNotApplicable,
      "'--endpoint-url', '--region' and '--ca-bundle' are for timelines in an object store",
      hint: "Give the place as s3://BUCKET/…, or leave the option out.")
  }
}

extension StoreOptions {
  /// These options as words of a command.
  var words: [String] {
    [("--endpoint-url", endpointURL), ("--region", region), ("--ca-bundle", caBundle)]
      .flatMap { name, value in value.map { [name, $0] } ?? [] }
  }

  /// A command line with these options.
  func added(to command: String) -> String {
    ([command] + words.map(GivenCommand.quoted)).joined(separator: " ")
  }
}

extension CommandOption where C: StoreCommand {
  /// `--endpoint-url`, as AWS's own tools call it.
  static var endpointURL: CommandOption {
    CommandOption(
      "endpoint-url", value: "URL",
      help: """
        URL of an S3 service other than AWS's own; http:// is allowed (default: AWS_ENDPOINT_URL_S3 or \
        AWS_ENDPOINT_URL)
        """
    ) { command, value throws(Failure) in
      command.store.endpointURL = try value.nonEmpty(placeholder: "URL")
    }
  }

  /// `--region`.
  static var region: CommandOption {
    CommandOption(
      "region", value: "NAME",
      help: "region of the bucket (default: AWS_REGION, AWS_DEFAULT_REGION, or us-east-1)"
    ) { command, value throws(Failure) in
      command.store.region = try value.nonEmpty(placeholder: "NAME")
    }
  }

  /// `--ca-bundle`.
  static var caBundle: CommandOption { .caBundle(\.store.caBundle) }
}
