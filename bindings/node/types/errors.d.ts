// Made by tools/types.js; do not edit.

/** Error codes by name. */
export interface ErrorCodes {
  /** Start of local error codes (**-200**) */
  ERR__BEGIN: number;
  /** Local: Bad message format (**-199**) */
  ERR__BAD_MSG: number;
  /** Local: Invalid compressed data (**-198**) */
  ERR__BAD_COMPRESSION: number;
  /** Local: Broker handle destroyed (**-197**) */
  ERR__DESTROY: number;
  /** Local: Communication failure with broker (**-196**) */
  ERR__FAIL: number;
  /** Local: Broker transport failure (**-195**) */
  ERR__TRANSPORT: number;
  /** Local: Critical system resource failure (**-194**) */
  ERR__CRIT_SYS_RESOURCE: number;
  /** Local: Host resolution failure (**-193**) */
  ERR__RESOLVE: number;
  /** Local: Message timed out (**-192**) */
  ERR__MSG_TIMED_OUT: number;
  /** Broker: No more messages (**-191**) */
  ERR__PARTITION_EOF: number;
  /** Local: Unknown partition (**-190**) */
  ERR__UNKNOWN_PARTITION: number;
  /** Local: File or filesystem error (**-189**) */
  ERR__FS: number;
  /** Local: Unknown topic (**-188**) */
  ERR__UNKNOWN_TOPIC: number;
  /** Local: All broker connections are down (**-187**) */
  ERR__ALL_BROKERS_DOWN: number;
  /** Local: Invalid argument or configuration (**-186**) */
  ERR__INVALID_ARG: number;
  /** Local: Timed out (**-185**) */
  ERR__TIMED_OUT: number;
  /** Local: Queue full (**-184**) */
  ERR__QUEUE_FULL: number;
  /** Local: ISR count insufficient (**-183**) */
  ERR__ISR_INSUFF: number;
  /** Local: Broker node update (**-182**) */
  ERR__NODE_UPDATE: number;
  /** Local: SSL error (**-181**) */
  ERR__SSL: number;
  /** Local: Waiting for coordinator (**-180**) */
  ERR__WAIT_COORD: number;
  /** Local: Unknown group (**-179**) */
  ERR__UNKNOWN_GROUP: number;
  /** Local: Operation in progress (**-178**) */
  ERR__IN_PROGRESS: number;
  /** Local: Previous operation in progress (**-177**) */
  ERR__PREV_IN_PROGRESS: number;
  /** Local: Existing subscription (**-176**) */
  ERR__EXISTING_SUBSCRIPTION: number;
  /** Local: Assign partitions (**-175**) */
  ERR__ASSIGN_PARTITIONS: number;
  /** Local: Revoke partitions (**-174**) */
  ERR__REVOKE_PARTITIONS: number;
  /** Local: Conflicting use (**-173**) */
  ERR__CONFLICT: number;
  /** Local: Erroneous state (**-172**) */
  ERR__STATE: number;
  /** Local: Unknown protocol (**-171**) */
  ERR__UNKNOWN_PROTOCOL: number;
  /** Local: Not implemented (**-170**) */
  ERR__NOT_IMPLEMENTED: number;
  /** Local: Authentication failure (**-169**) */
  ERR__AUTHENTICATION: number;
  /** Local: No offset stored (**-168**) */
  ERR__NO_OFFSET: number;
  /** Local: Outdated (**-167**) */
  ERR__OUTDATED: number;
  /** Local: Timed out in queue (**-166**) */
  ERR__TIMED_OUT_QUEUE: number;
  /** Local: Required feature not supported by broker (**-165**) */
  ERR__UNSUPPORTED_FEATURE: number;
  /** Local: Awaiting cache update (**-164**) */
  ERR__WAIT_CACHE: number;
  /** Local: Operation interrupted (**-163**) */
  ERR__INTR: number;
  /** Local: Key serialization error (**-162**) */
  ERR__KEY_SERIALIZATION: number;
  /** Local: Value serialization error (**-161**) */
  ERR__VALUE_SERIALIZATION: number;
  /** Local: Key deserialization error (**-160**) */
  ERR__KEY_DESERIALIZATION: number;
  /** Local: Value deserialization error (**-159**) */
  ERR__VALUE_DESERIALIZATION: number;
  /** Local: Partial response (**-158**) */
  ERR__PARTIAL: number;
  /** Local: Read-only object (**-157**) */
  ERR__READ_ONLY: number;
  /** Local: No such entry (**-156**) */
  ERR__NOENT: number;
  /** Local: Read underflow (**-155**) */
  ERR__UNDERFLOW: number;
  /** Local: Invalid type (**-154**) */
  ERR__INVALID_TYPE: number;
  /** Local: Retry operation (**-153**) */
  ERR__RETRY: number;
  /** Local: Purged in queue (**-152**) */
  ERR__PURGE_QUEUE: number;
  /** Local: Purged in flight (**-151**) */
  ERR__PURGE_INFLIGHT: number;
  /** Local: Fatal error (**-150**) */
  ERR__FATAL: number;
  /** Local: Inconsistent state (**-149**) */
  ERR__INCONSISTENT: number;
  /** Local: Gap-less ordering would not be guaranteed (**-148**) */
  ERR__GAPLESS_GUARANTEE: number;
  /** Local: Maximum application poll interval (max.poll.interval.ms) exceeded (**-147**) */
  ERR__MAX_POLL_EXCEEDED: number;
  /** Local: Unknown broker (**-146**) */
  ERR__UNKNOWN_BROKER: number;
  /** Local: Functionality not configured (**-145**) */
  ERR__NOT_CONFIGURED: number;
  /** Local: This instance has been fenced by a newer instance (**-144**) */
  ERR__FENCED: number;
  /** Local: Application generated error (**-143**) */
  ERR__APPLICATION: number;
  /** Local: Group partition assignment lost (**-142**) */
  ERR__ASSIGNMENT_LOST: number;
  /** Local: No operation performed (**-141**) */
  ERR__NOOP: number;
  /** Local: No offset to automatically reset to (**-140**) */
  ERR__AUTO_OFFSET_RESET: number;
  /** Local: Partition log truncation detected (**-139**) */
  ERR__LOG_TRUNCATION: number;
  /** Local: Invalid record in the middle of a batch (**-138**) */
  ERR__INVALID_DIFFERENT_RECORD: number;
  /** Local: Broker handle destroyed without termination (**-137**) */
  ERR__DESTROY_BROKER: number;
  /** End of local error codes (**-100**) */
  ERR__END: number;
  /** Unknown broker error (**-1**) */
  ERR_UNKNOWN: number;
  /** Success (**0**) */
  ERR_NO_ERROR: number;
  /** Broker: Offset out of range (**1**) */
  ERR_OFFSET_OUT_OF_RANGE: number;
  /** Broker: Invalid message (**2**) */
  ERR_INVALID_MSG: number;
  /** Broker: Unknown topic or partition (**3**) */
  ERR_UNKNOWN_TOPIC_OR_PART: number;
  /** Broker: Invalid message size (**4**) */
  ERR_INVALID_MSG_SIZE: number;
  /** Broker: Leader not available (**5**) */
  ERR_LEADER_NOT_AVAILABLE: number;
  /** Broker: Not leader for partition (**6**) */
  ERR_NOT_LEADER_FOR_PARTITION: number;
  /** Broker: Request timed out (**7**) */
  ERR_REQUEST_TIMED_OUT: number;
  /** Broker: Broker not available (**8**) */
  ERR_BROKER_NOT_AVAILABLE: number;
  /** Broker: Replica not available (**9**) */
  ERR_REPLICA_NOT_AVAILABLE: number;
  /** Broker: Message size too large (**10**) */
  ERR_MSG_SIZE_TOO_LARGE: number;
  /** Broker: Stale controller epoch (**11**) */
  ERR_STALE_CTRL_EPOCH: number;
  /** Broker: Offset metadata string too large (**12**) */
  ERR_OFFSET_METADATA_TOO_LARGE: number;
  /** Broker: Broker disconnected before response received (**13**) */
  ERR_NETWORK_EXCEPTION: number;
  /** Broker: Coordinator load in progress (**14**) */
  ERR_COORDINATOR_LOAD_IN_PROGRESS: number;
  /** Broker: Coordinator not available (**15**) */
  ERR_COORDINATOR_NOT_AVAILABLE: number;
  /** Broker: Not coordinator (**16**) */
  ERR_NOT_COORDINATOR: number;
  /** Broker: Invalid topic (**17**) */
  ERR_TOPIC_EXCEPTION: number;
  /** Broker: Message batch larger than configured server segment size (**18**) */
  ERR_RECORD_LIST_TOO_LARGE: number;
  /** Broker: Not enough in-sync replicas (**19**) */
  ERR_NOT_ENOUGH_REPLICAS: number;
  /** Broker: Message(s) written to insufficient number of in-sync replicas (**20**) */
  ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND: number;
  /** Broker: Invalid required acks value (**21**) */
  ERR_INVALID_REQUIRED_ACKS: number;
  /** Broker: Specified group generation id is not valid (**22**) */
  ERR_ILLEGAL_GENERATION: number;
  /** Broker: Inconsistent group protocol (**23**) */
  ERR_INCONSISTENT_GROUP_PROTOCOL: number;
  /** Broker: Invalid group.id (**24**) */
  ERR_INVALID_GROUP_ID: number;
  /** Broker: Unknown member (**25**) */
  ERR_UNKNOWN_MEMBER_ID: number;
  /** Broker: Invalid session timeout (**26**) */
  ERR_INVALID_SESSION_TIMEOUT: number;
  /** Broker: Group rebalance in progress (**27**) */
  ERR_REBALANCE_IN_PROGRESS: number;
  /** Broker: Commit offset data size is not valid (**28**) */
  ERR_INVALID_COMMIT_OFFSET_SIZE: number;
  /** Broker: Topic authorization failed (**29**) */
  ERR_TOPIC_AUTHORIZATION_FAILED: number;
  /** Broker: Group authorization failed (**30**) */
  ERR_GROUP_AUTHORIZATION_FAILED: number;
  /** Broker: Cluster authorization failed (**31**) */
  ERR_CLUSTER_AUTHORIZATION_FAILED: number;
  /** Broker: Invalid timestamp (**32**) */
  ERR_INVALID_TIMESTAMP: number;
  /** Broker: Unsupported SASL mechanism (**33**) */
  ERR_UNSUPPORTED_SASL_MECHANISM: number;
  /** Broker: Request not valid in current SASL state (**34**) */
  ERR_ILLEGAL_SASL_STATE: number;
  /** Broker: API version not supported (**35**) */
  ERR_UNSUPPORTED_VERSION: number;
  /** Broker: Topic already exists (**36**) */
  ERR_TOPIC_ALREADY_EXISTS: number;
  /** Broker: Invalid number of partitions (**37**) */
  ERR_INVALID_PARTITIONS: number;
  /** Broker: Invalid replication factor (**38**) */
  ERR_INVALID_REPLICATION_FACTOR: number;
  /** Broker: Invalid replica assignment (**39**) */
  ERR_INVALID_REPLICA_ASSIGNMENT: number;
  /** Broker: Configuration is invalid (**40**) */
  ERR_INVALID_CONFIG: number;
  /** Broker: Not controller for cluster (**41**) */
  ERR_NOT_CONTROLLER: number;
  /** Broker: Invalid request (**42**) */
  ERR_INVALID_REQUEST: number;
  /** Broker: Message format on broker does not support request (**43**) */
  ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT: number;
  /** Broker: Policy violation (**44**) */
  ERR_POLICY_VIOLATION: number;
  /** Broker: Broker received an out of order sequence number (**45**) */
  ERR_OUT_OF_ORDER_SEQUENCE_NUMBER: number;
  /** Broker: Broker received a duplicate sequence number (**46**) */
  ERR_DUPLICATE_SEQUENCE_NUMBER: number;
  /** Broker: Producer attempted an operation with an old epoch (**47**) */
  ERR_INVALID_PRODUCER_EPOCH: number;
  /** Broker: Producer attempted a transactional operation in an invalid state (**48**) */
  ERR_INVALID_TXN_STATE: number;
  /** Broker: Producer id is not assigned to its transactional id (**49**) */
  ERR_INVALID_PRODUCER_ID_MAPPING: number;
  /** Broker: Transaction timeout is larger than transaction.max.timeout.ms allows (**50**) */
  ERR_INVALID_TRANSACTION_TIMEOUT: number;
  /** Broker: Producer attempted an update while another transaction operation was in progress (**51**) */
  ERR_CONCURRENT_TRANSACTIONS: number;
  /** Broker: Transaction coordinator is no longer current for this producer (**52**) */
  ERR_TRANSACTION_COORDINATOR_FENCED: number;
  /** Broker: Transactional Id authorization failed (**53**) */
  ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED: number;
  /** Broker: Security features are disabled (**54**) */
  ERR_SECURITY_DISABLED: number;
  /** Broker: Operation not attempted (**55**) */
  ERR_OPERATION_NOT_ATTEMPTED: number;
  /** Broker: Disk error when trying to access log file on disk (**56**) */
  ERR_KAFKA_STORAGE_ERROR: number;
  /** Broker: Log directory not found on the broker (**57**) */
  ERR_LOG_DIR_NOT_FOUND: number;
  /** Broker: SASL Authentication failed (**58**) */
  ERR_SASL_AUTHENTICATION_FAILED: number;
  /** Broker: Unknown Producer Id (**59**) */
  ERR_UNKNOWN_PRODUCER_ID: number;
  /** Broker: Partition reassignment is in progress (**60**) */
  ERR_REASSIGNMENT_IN_PROGRESS: number;
  /** Broker: Delegation Token feature is not enabled (**61**) */
  ERR_DELEGATION_TOKEN_AUTH_DISABLED: number;
  /** Broker: Delegation Token is not found on server (**62**) */
  ERR_DELEGATION_TOKEN_NOT_FOUND: number;
  /** Broker: Principal is not a valid owner or renewer of the token (**63**) */
  ERR_DELEGATION_TOKEN_OWNER_MISMATCH: number;
  /** Broker: Delegation Token requests are not allowed on this connection (**64**) */
  ERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: number;
  /** Broker: Delegation Token authorization failed (**65**) */
  ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED: number;
  /** Broker: Delegation Token is expired (**66**) */
  ERR_DELEGATION_TOKEN_EXPIRED: number;
  /** Broker: Principal type is not supported (**67**) */
  ERR_INVALID_PRINCIPAL_TYPE: number;
  /** Broker: The group is not empty (**68**) */
  ERR_NON_EMPTY_GROUP: number;
  /** Broker: The group id does not exist (**69**) */
  ERR_GROUP_ID_NOT_FOUND: number;
  /** Broker: The fetch session ID was not found (**70**) */
  ERR_FETCH_SESSION_ID_NOT_FOUND: number;
  /** Broker: The fetch session epoch is invalid (**71**) */
  ERR_INVALID_FETCH_SESSION_EPOCH: number;
  /** Broker: No matching listener (**72**) */
  ERR_LISTENER_NOT_FOUND: number;
  /** Broker: Topic deletion is disabled (**73**) */
  ERR_TOPIC_DELETION_DISABLED: number;
  /** Broker: Leader epoch is older than broker epoch (**74**) */
  ERR_FENCED_LEADER_EPOCH: number;
  /** Broker: Leader epoch is newer than broker epoch (**75**) */
  ERR_UNKNOWN_LEADER_EPOCH: number;
  /** Broker: Unsupported compression type (**76**) */
  ERR_UNSUPPORTED_COMPRESSION_TYPE: number;
  /** Broker: Broker epoch has changed (**77**) */
  ERR_STALE_BROKER_EPOCH: number;
  /** Broker: Leader high watermark is not caught up (**78**) */
  ERR_OFFSET_NOT_AVAILABLE: number;
  /** Broker: Group member needs a valid member ID (**79**) */
  ERR_MEMBER_ID_REQUIRED: number;
  /** Broker: Preferred leader was not available (**80**) */
  ERR_PREFERRED_LEADER_NOT_AVAILABLE: number;
  /** Broker: Consumer group has reached maximum size (**81**) */
  ERR_GROUP_MAX_SIZE_REACHED: number;
  /** Broker: Static consumer fenced by other consumer with same group.instance.id (**82**) */
  ERR_FENCED_INSTANCE_ID: number;
  /** Broker: Eligible partition leaders are not available (**83**) */
  ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE: number;
  /** Broker: Leader election not needed for topic partition (**84**) */
  ERR_ELECTION_NOT_NEEDED: number;
  /** Broker: No partition reassignment is in progress (**85**) */
  ERR_NO_REASSIGNMENT_IN_PROGRESS: number;
  /** Broker: Topic cannot be deleted while a consumer group is subscribed to it (**86**) */
  ERR_GROUP_SUBSCRIBED_TO_TOPIC: number;
  /** Broker: Broker failed to validate record (**87**) */
  ERR_INVALID_RECORD: number;
  /** Broker: There are unstable offsets that need to be cleared (**88**) */
  ERR_UNSTABLE_OFFSET_COMMIT: number;
  /** Broker: Throttling quota has been exceeded (**89**) */
  ERR_THROTTLING_QUOTA_EXCEEDED: number;
  /** Broker: There is a newer producer with the same transactional.id which fences the current one (**90**) */
  ERR_PRODUCER_FENCED: number;
  /** Broker: Request referred to a resource that does not exist (**91**) */
  ERR_RESOURCE_NOT_FOUND: number;
  /** Broker: Request referred to the same resource twice (**92**) */
  ERR_DUPLICATE_RESOURCE: number;
  /** Broker: Requested credential would not meet criteria for acceptability (**93**) */
  ERR_UNACCEPTABLE_CREDENTIAL: number;
  /** Broker: Voter set sent and voter set known do not match (**94**) */
  ERR_INCONSISTENT_VOTER_SET: number;
  /** Broker: Given update version was invalid (**95**) */
  ERR_INVALID_UPDATE_VERSION: number;
  /** Broker: Unable to update finalized features (**96**) */
  ERR_FEATURE_UPDATE_FAILED: number;
  /** Broker: Principal could not be deserialized after forwarding (**97**) */
  ERR_PRINCIPAL_DESERIALIZATION_FAILURE: number;
  /** Broker: Unknown topic id (**100**) */
  ERR_UNKNOWN_TOPIC_ID: number;
  /** Broker: Topic id does not match the one in the log (**103**) */
  ERR_INCONSISTENT_TOPIC_ID: number;
  /** Broker: The member epoch is fenced by the group coordinator (**110**) */
  ERR_FENCED_MEMBER_EPOCH: number;
  /** Broker: The instance ID is still used by another member in the consumer group (**111**) */
  ERR_UNRELEASED_INSTANCE_ID: number;
  /** Broker: The assignor is not supported by the consumer group (**112**) */
  ERR_UNSUPPORTED_ASSIGNOR: number;
  /** Broker: The member epoch is stale (**113**) */
  ERR_STALE_MEMBER_EPOCH: number;
  /** Broker: Request was sent to an endpoint of the wrong type (**114**) */
  ERR_MISMATCHED_ENDPOINT_TYPE: number;
  /** Broker: This endpoint type is not supported (**115**) */
  ERR_UNSUPPORTED_ENDPOINT_TYPE: number;
  /** Broker: This controller ID is not known (**116**) */
  ERR_UNKNOWN_CONTROLLER_ID: number;
  /** Broker: Metrics push failed: unknown or outdated subscription id (**117**) */
  ERR_UNKNOWN_SUBSCRIPTION_ID: number;
  /** Broker: Metrics push failed: telemetry larger than the broker accepts (**118**) */
  ERR_TELEMETRY_TOO_LARGE: number;
  /** Broker: The controller considered the registration invalid (**119**) */
  ERR_INVALID_REGISTRATION: number;
  /** Broker: Transaction failed and must be aborted (**120**) */
  ERR_TRANSACTION_ABORTABLE: number;
  /** Broker: The record state is invalid for this acknowledgement (**121**) */
  ERR_INVALID_RECORD_STATE: number;
  /** Broker: The share session was not found (**122**) */
  ERR_SHARE_SESSION_NOT_FOUND: number;
  /** Broker: The share session epoch is invalid (**123**) */
  ERR_INVALID_SHARE_SESSION_EPOCH: number;
  /** Broker: The share coordinator rejected the request: state epoch is fenced (**124**) */
  ERR_FENCED_STATE_EPOCH: number;
  /** Broker: The voter key does not match the receiving replica's key (**125**) */
  ERR_INVALID_VOTER_KEY: number;
  /** Broker: The voter is already part of the voter set (**126**) */
  ERR_DUPLICATE_VOTER: number;
  /** Broker: The voter is not part of the voter set (**127**) */
  ERR_VOTER_NOT_FOUND: number;
  /** Broker: The regular expression is not valid (**128**) */
  ERR_INVALID_REGULAR_EXPRESSION: number;
  /** Broker: The client must rebootstrap to obtain new metadata (**129**) */
  ERR_REBOOTSTRAP_REQUIRED: number;
  /** Broker: The topology is invalid (**130**) */
  ERR_STREAMS_INVALID_TOPOLOGY: number;
  /** Broker: The topology epoch is invalid (**131**) */
  ERR_STREAMS_INVALID_TOPOLOGY_EPOCH: number;
  /** Broker: The topology epoch is outdated (**132**) */
  ERR_STREAMS_TOPOLOGY_FENCED: number;
  /** Broker: The limit of share sessions has been reached (**133**) */
  ERR_SHARE_SESSION_LIMIT_REACHED: number;
}
