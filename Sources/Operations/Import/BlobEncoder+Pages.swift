import Backup
import Timeline

/// Pages are stored as a pageserver stores them: compressed one by one.
extension BlobEncoder: PageBlobMaker {}
