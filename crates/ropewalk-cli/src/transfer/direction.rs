/// Whether rows stand oldest or newest first, judged by their times. Lists of the API are newest first unless asked
/// otherwise, and rows of one second can be told apart by nothing but their place.
#[derive(Debug, Clone, Default)]
pub(super) struct Direction {
    /// Steps back in time, less steps forward.
    falls: i64,
    /// Whether any row came in a page of a list.
    pages: bool,
    /// Parent and time of the row before.
    last: Option<(Option<String>, i64)>,
}

impl Direction {
    /// Looks at the next row. Only times of one parent are compared: dumps go from thread to thread.
    pub(super) fn see(&mut self, parent: Option<String>, created_at: i64, in_page: bool) {
        if let Some((before, time)) = &self.last
            && *before == parent
        {
            self.falls += (time - created_at).signum();
        }
        self.pages |= in_page;
        self.last = Some((parent, created_at));
    }

    /// What several files say together.
    pub(super) fn of_all<'a>(directions: impl Iterator<Item = &'a Self>) -> Self {
        directions.fold(Self::default(), |all, one| Self {
            falls: all.falls + one.falls,
            pages: all.pages || one.pages,
            last: None,
        })
    }

    /// `all` decides for a file whose own times do not, and then whether it has pages of lists.
    pub(super) fn newest_first(&self, all: &Self) -> bool {
        match (self.falls, all.falls) {
            (0, 0) => self.pages,
            (0, falls) | (falls, _) => falls > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[(&str, i64)], in_page: bool) -> Direction {
        let mut direction = Direction::default();
        for (parent, time) in times {
            direction.see(Some((*parent).to_owned()), *time, in_page);
        }
        direction
    }

    #[test]
    fn times_of_one_thread_decide_then_the_other_files_then_pages() {
        let falling = of(&[("a", 9), ("a", 8), ("b", 20), ("b", 20), ("b", 19)], false);
        let rising = of(&[("a", 1), ("a", 2)], true);
        let level = |in_page| of(&[("a", 1), ("a", 1), ("b", 0)], in_page);
        let none = Direction::default();
        assert!(falling.newest_first(&none) && !rising.newest_first(&falling));
        assert!(level(false).newest_first(&falling) && !level(true).newest_first(&rising));
        assert!(level(true).newest_first(&none) && !level(false).newest_first(&none));
    }
}
