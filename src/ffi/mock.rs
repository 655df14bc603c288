//! `rk_mock_*`: the embedded cluster.

use super::handle::{handle, Tag};
use crate::mock::MockCluster;
use std::sync::Arc;
pub struct rk_mock_cluster_t {
    tag: Tag,
    cluster: Arc<MockCluster>,
    borrowed: bool,
}
handle!(rk_mock_cluster_t, b'm');
impl rk_mock_cluster_t {
    pub(super) fn borrowed(cluster: Arc<MockCluster>) -> rk_mock_cluster_t {
        rk_mock_cluster_t { tag: Tag::new::<rk_mock_cluster_t>(), cluster, borrowed: true }
    }
}
